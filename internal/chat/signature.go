package chat

// FileStatus is what the service says of a file that a message refers to (Chat documentation, get_cos_sig).
type FileStatus int

// The states that the service knows.
const (
	FileNormal  FileStatus = 0
	FileBanned  FileStatus = 1 // by the service's moderation; the signed URL opens it all the same
	FileMissing FileStatus = 2
)

// Signature is the service's answer to one URL of a file.
type Signature struct {
	// URL opens the file to whoever has it, for 15 minutes: a secret. Empty where the service gave none.
	URL    string
	Status FileStatus
}

// String tells whether there is a URL, and not which.
func (s Signature) String() string {
	if s.URL == "" {
		return "no signed URL"
	}
	return "a signed URL"
}

// GoString is String.
func (s Signature) GoString() string { return s.String() }
