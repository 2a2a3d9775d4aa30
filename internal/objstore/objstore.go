// Package objstore is the contract between the archive and the object store that holds it.
//
// It owns the words (object, metadata, condition) and what each failure means. It must never import an SDK or do I/O:
// cosstore is the implementation, and storetest is the suite that every implementation passes.
package objstore

import (
	"bytes"
	"cmp"
	"crypto/md5" // Content-MD5
	"errors"
	"fmt"
	"io"
	"time"
)

// Conditions of an object or of the whole store. A store's errors match them with errors.Is.
var (
	// ErrNotExist means that the object is certainly absent, as far as the answer can tell: a GET answered with
	// NoSuchKey, or a HEAD with 404 (whose empty body cannot tell a missing key from a missing bucket: only a GET is
	// proof). NoSuchBucket, 403 and the like are never ErrNotExist.
	ErrNotExist = errors.New("object does not exist")
	// ErrExist means that a create-only write found the key taken, perhaps by an earlier attempt of the same write
	// whose answer was lost: the caller must look at the object before it believes either.
	ErrExist = errors.New("object exists already")
	// ErrVersioned means that versioning is, or once was, enabled on the bucket. Create-only is void there, so nothing
	// may be written.
	ErrVersioned = errors.New("bucket has versioning enabled or suspended")
	// ErrDenied means that the credentials are missing, wrong, or lack a permission.
	ErrDenied = errors.New("access to the object store was denied")
	// ErrNoBucket means that the bucket does not exist in this region.
	ErrNoBucket = errors.New("bucket does not exist")
	// ErrUnknown means that a write may or may not have taken effect.
	ErrUnknown = errors.New("outcome of the write is unknown")
	// ErrCorrupt means that bytes and checksum do not agree, whichever of the two is wrong.
	ErrCorrupt = errors.New("checksum does not match")
	// ErrTooLarge means that an object is longer than any of its kind (layout.MaxBytes), and was not read. It is not what
	// was written: the error matches ErrCorrupt, too.
	ErrTooLarge error = tooLargeError{}
	// ErrInvalid means that a key or its metadata is nothing the store can hold; nothing was sent.
	ErrInvalid = errors.New("not a valid object")
)

type tooLargeError struct{}

func (tooLargeError) Error() string        { return "object is larger than any of its kind" }
func (tooLargeError) Is(target error) bool { return target == ErrCorrupt }

// Entry is one object of a listing. Listings are eventually consistent: a key that was just written may be missing.
type Entry struct {
	Key          string // below the prefix
	Size         int64
	LastModified time.Time
}

// Object describes a stored object.
type Object struct {
	Size         int64
	CRC64        uint64            // CRC-64/ECMA, as COS computes it
	Metadata     map[string]string // user metadata; names in lower case, without x-cos-meta-
	LastModified time.Time         // whole seconds; zero after a write, whose answer does not tell
	Date         time.Time         // the store's clock when it answered, in whole seconds
}

// Write is a new object: what File has, or Body where that is nil.
type Write struct {
	Body        []byte // must stay unchanged until the call returns and, as a transport may still read it, afterwards
	File        *File
	ContentType string
	Metadata    map[string]string // names in lower case, without x-cos-meta-
}

// File is content that is too large for memory, such as an open *os.File. A store reads it again for every attempt, and
// compares what it reads with the sums: other bytes are not stored, the error matches ErrCorrupt.
type File struct {
	Content io.ReaderAt // may be closed when the call has returned: an attempt that was given up then fails to read on
	Size    int64       // bytes from the beginning of Content
	MD5     [md5.Size]byte
	CRC64   uint64
}

// Source returns the content as a file, whichever it is.
func (w Write) Source() *File {
	if w.File != nil {
		return w.File
	}
	return &File{Content: bytes.NewReader(w.Body), Size: int64(len(w.Body)), MD5: md5.Sum(w.Body), CRC64: CRC64(w.Body)}
}

// Reader returns a new reader of the whole content. All of them may read at the same time.
func (f *File) Reader() io.Reader { return io.NewSectionReader(f.Content, 0, f.Size) }

// CopyTo writes the content and compares it with the sums: ErrCorrupt when it is other content.
func (f *File) CopyTo(w io.Writer) error {
	sum, crc := md5.New(), NewCRC64()
	n, err := io.Copy(io.MultiWriter(w, sum, crc), f.Reader())
	switch {
	case err != nil:
		return err
	case n != f.Size || crc.Sum64() != f.CRC64 || [md5.Size]byte(sum.Sum(nil)) != f.MD5:
		return fmt.Errorf("%w: the content is not what its sums were made of", ErrCorrupt)
	}
	return nil
}

// Error is a failed operation on one object or on the bucket.
type Error struct {
	Store     string // what kind of store it is; empty for COS
	Op        string // "get", "head", "create", "overwrite", "list", "preflight"
	Key       string // below the prefix; empty for operations on the bucket
	Status    int    // HTTP status of the last answer; 0 if there was none
	Code      string // the service's error code, such as NoSuchKey
	RequestID string
	Attempts  int
	Date      time.Time // the store's clock in the last answer; zero if there was none
	Err       error     // a condition of this package, a context's error, or the transport's
}

// Error says what failed and what was answered; it never contains credentials or a signed URL.
func (e *Error) Error() string {
	msg := cmp.Or(e.Store, "cos") + " " + e.Op
	if e.Key != "" {
		msg += " " + e.Key
	}
	msg += ": " + e.Err.Error()
	switch {
	case e.Status != 0:
		msg += fmt.Sprintf(" (status %d, code %s, request id %s, attempts %d)", e.Status, cmp.Or(e.Code, "none"), e.RequestID, e.Attempts)
	case e.Attempts > 0 && e.Store == "":
		msg += fmt.Sprintf(" (no answer, attempts %d)", e.Attempts)
	}
	return msg
}

// Unwrap returns the condition.
func (e *Error) Unwrap() error { return e.Err }
