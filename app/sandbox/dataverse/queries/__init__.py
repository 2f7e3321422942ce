"""Reading rows: query options, FetchXML, SQL, change tracking, and rows as JSON."""
