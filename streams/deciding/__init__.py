"""What ``streams.decide`` is made of; it reads one cause and this takes it in.

skips, aliases, owners   before anything changes: left aside, or sent on to the record meant
absorb                   how the record's rows change; happenings: what is kept of the past
telling, processes       what records tell each other, and a business process its record
reading                  having a record read again when what is known is not enough
memory                   the rows of one key, read and written as one
story, explain           the same in words: audit lines, and why something did not happen
"""
