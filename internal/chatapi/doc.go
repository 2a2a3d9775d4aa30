// Package chatapi is the client of Tencent Chat's REST API, as far as the export reads it: pages of group history,
// facts about groups and topics, the list of all groups, and signed URLs of files.
//
// It owns the UserSig, the connection pool and the classification of the service's error codes. A method makes exactly
// one attempt: who repeats it, when, and how fast calls may follow each other is decided by others, by the class that
// every error carries (package retry).
//
// It must never repeat a call, keep a cursor, or let the secret key, a UserSig or message text into an error. A UserSig
// stands in every URL, and the signature of a file in its own, so no URL may appear in an error either.
package chatapi
