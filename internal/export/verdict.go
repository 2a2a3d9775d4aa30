package export

import (
	"context"
	"errors"
	"fmt"

	"chatexport/internal/archive"
	"chatexport/internal/chain"
	"chatexport/internal/chat"
	"chatexport/internal/objstore"
	"chatexport/internal/pull"
	"chatexport/internal/retry"
)

// verdict is an outcome that stands until a person or a later tick finds otherwise. Delivering the event again could
// not help, so the invocation succeeds and says so, and the run ends here.
type verdict struct {
	status string // one of the standing statuses of package archive
	code   string // machine-readable reason
	text   string // what was found, and what the operator can do

	lo    chat.Seq // of the chunk that is not what was written
	crc64 string   // that it should have, in decimal
}

func (v *verdict) Error() string { return v.status + ": " + v.text }

// verdictOf returns the verdict that an error is, nil if delivering the event again may help.
func verdictOf(err error) *verdict {
	if v, ok := errors.AsType[*verdict](err); ok {
		return v
	}
	if c, ok := errors.AsType[*chain.CorruptError](err); ok {
		return corrupt(c.Key, c.Lo, c.CRC64)
	}
	switch {
	case errors.Is(err, objstore.ErrVersioned): // every further write could overwrite something
		return &verdict{
			status: archive.StatusFailed, code: codeVersioned,
			text: "versioning was enabled on the bucket, which makes create-only writes void; use a bucket that never had it: " + err.Error(),
		}
	case errors.Is(err, chat.ErrGone):
		return &verdict{
			status: archive.StatusGone, code: codeOf(err),
			text: "the group or topic no longer exists and its remaining history is lost; what was archived is kept: " + err.Error(),
		}
	case errors.Is(err, chat.ErrUnsupported):
		return &verdict{status: archive.StatusUnsupported, code: codeOf(err), text: err.Error()}
	default:
		return nil
	}
}

func damaged(code, format string, args ...any) *verdict {
	return &verdict{status: archive.StatusDamaged, code: code, text: fmt.Sprintf(format, args...) + "; nothing was overwritten, look at it with verify"}
}

// unreadable is why a write-once object could not be read. What is too large to be one never will be.
func unreadable(what, key string, err error) error {
	if errors.Is(err, objstore.ErrTooLarge) {
		return damaged(what+"_invalid", "%s: %v", key, err)
	}
	return fmt.Errorf("read %s: %w", what, err)
}

// corrupt is the verdict on an own chunk that is stored with other bytes than were written.
func corrupt(key string, lo chat.Seq, crc64 string) *verdict {
	v := damaged(codeCorrupt, "%s is not what was written; remove it, and its messages are pulled again as far as they are retained", key)
	v.lo, v.crc64 = lo, crc64
	return v
}

// Codes that are read again.
const (
	codeCorrupt    = archive.CodeChunkCorrupt
	codeNoMetadata = "no_metadata"
	codeVersioned  = "versioned_bucket"
	codeNoProgress = "no_progress"
	codeNoTime     = "no_time"
)

// OutOfTime reports whether a batch failed for want of time, and not for what it met.
func OutOfTime(err error) bool {
	switch codeOf(err) {
	case codeNoProgress, codeNoTime:
		return true
	default:
		return false
	}
}

// coded is implemented by errors that carry the service's own code.
type coded interface {
	error
	ErrorCode() string
}

// codeOf names a failure for state and logs.
func codeOf(err error) string {
	if c, ok := errors.AsType[coded](err); ok {
		return c.ErrorCode()
	}
	failure, stored := errors.AsType[*objstore.Error](err)
	if stored && failure.Code != "" {
		return failure.Code
	}
	switch {
	case stored && failure.Attempts > 0 && failure.Status == 0 && !errors.Is(err, context.DeadlineExceeded):
		return "network" // as the source's errors call it
	case errors.Is(err, objstore.ErrDenied):
		return "AccessDenied" // of a HEAD, whose answer has no room for the code
	case errors.Is(err, pull.ErrProtocol):
		return "protocol"
	case errors.Is(err, chat.ErrMalformed):
		return "malformed_page"
	case errors.Is(err, objstore.ErrVersioned):
		return codeVersioned
	case errors.Is(err, objstore.ErrCorrupt):
		return "checksum"
	case errors.Is(err, errNoProgress):
		return codeNoProgress
	case errors.Is(err, errTimeUp), errors.Is(err, retry.ErrNoTime), errors.Is(err, context.DeadlineExceeded):
		return codeNoTime
	default:
		return "error"
	}
}
