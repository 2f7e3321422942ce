"""Every code that an error of a client can carry: the closed list behind metrics and outcomes."""

from __future__ import annotations

from collections.abc import Mapping

CODES: Mapping[str, str] = {
    # Nobody answered, or not the system itself.
    "timeout": "no answer in time",
    "no_connection": "no connection",
    "connection_lost": "the connection ended before the answer",
    "not_json": "a page in place of an answer: overload, restart, a gateway",
    "gateway_error": "502, 503 or 504",
    "no_answer": "408 or 425",
    "answer_incomplete": "an answer without what it should bring",
    "sql_error": "Dataverse's database failed",
    "server_error": "Dataverse failed on this call",
    "otds_unavailable": "OTDS does not answer as it should",
    "sign_in_unavailable": "Entra ID does not answer as it should",
    # Asked to wait.
    "throttled": "429",
    "requests_exceeded": "Dataverse's limit of requests",
    "time_exceeded": "Dataverse's limit of execution time",
    "concurrency_exceeded": "Dataverse's limit of requests at a time",
    # The pass ended.
    "token_expired": "Dataverse wants a new token",
    "ticket_expired": "Content Server wants a new ticket",
    # Somebody else wrote.
    "version_changed": "the row has another version by now",
    "edit_conflict": "the node was changed meanwhile",
    "plugin_failed": "a plug-in of Dynamics threw",
    # Our sign-in or address.
    "sign_in_refused": "the credential was refused",
    "credentials_refused": "refused although just signed in",
    "credential_unusable": "the credential cannot be read as one",
    "secret_missing": "a secret is empty or its file cannot be read",
    "authority_unknown": "the authority or tenant does not exist",
    "certificate_untrusted": "the other side's certificate is not trusted",
    "ca_file_unusable": "the CA file cannot be read",
    "url_invalid": "an address that is none",
    # Our rights.
    "not_a_member": "the application has no user in the environment",
    "privilege_missing": "the security role lacks a privilege",
    "column_secured": "the column is secured",
    "access_denied": "Dataverse denies the call",
    "permission_denied": "Content Server denies the call",
    # Our rules and declarations against the systems.
    "table_undeclared": "the table is not declared",
    "table_unknown": "Dataverse has no such table",
    "column_undeclared": "the column is not declared",
    "column_unknown": "Dataverse has no such column or relationship",
    "column_kind_wrong": "the column holds values of another kind",
    "workspace_type_unknown": "no such workspace type",
    "template_unknown": "no such template, or the type has none",
    "category_unknown": "no such category on workspace or templates",
    "attribute_unknown": "no such attribute in the category or workflow map",
    "workflow_map_unknown": "no such workflow map",
    "classification_unknown": "no such records management classification",
    "endpoint_missing": "Content Server has no such call",
    "lookup_unsupported": "Content Server cannot look up by business object",
    # The record or workspace itself.
    "record_missing": "the record does not exist",
    "key_not_found": "no row with this alternate key",
    "lookup_target_missing": "a lookup points to a record that does not exist",
    "workspace_missing": "the workspace does not exist",
    "workspace_not_unique": "the business object has several workspaces",
    "name_taken": "the name is taken, with every suffix",
    "record_locked": "a final record or a hold forbids the change",
    "role_unknown": "the workspace has no such role",
    "member_unknown": "no such user or group",
    "member_not_unique": "several members of this e-mail",
    "not_found": "what was asked for is not there",
    "already_there": "what was to be made is there",
    # The value or the call.
    "value_invalid": "the value does not fit",
    "value_ignored": "Content Server took the call, but not the value",
    "attribute_invalid": "the value does not fit the attribute",
    "argument_invalid": "Dataverse refuses an argument",
    "text_too_long": "the text is longer than the column",
    "categories_unreadable": "Content Server cannot read the attributes",
    "payload_too_large": "the request is too large",
    "duplicate_key": "another row has this key",
    "duplicate_detected": "a duplicate detection rule hit",
    "delete_blocked": "other rows hold this one",
    "not_implemented": "the system does not have this",
    "request_invalid": "the system refuses the request",
    "application_error": "Content Server refuses, in words of its own",
    "unexpected_answer": "an answer that no table knows",
}
