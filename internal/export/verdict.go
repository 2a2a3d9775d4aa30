package export

import (
	"context"
	"errors"
	"fmt"

	"chatexport/internal/archive"
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
}

func (v *verdict) Error() string { return v.status + ": " + v.text }

func damaged(code, format string, args ...any) error {
	return &verdict{status: archive.StatusDamaged, code: code, text: fmt.Sprintf(format, args...) + "; nothing was overwritten, look at it with verify"}
}

func isVerdict(err error) bool {
	_, ok := errors.AsType[*verdict](err)
	return ok
}

// stand records a verdict and ends the run.
func (b *batch) stand(ctx context.Context, v *verdict) error {
	b.outcome, b.code = Outcome(v.status), v.code
	b.Log.Warn().Str("status", v.status).Str("code", v.code).Msg(v.text)
	failure := b.stateError(v.code, v.text)
	if b.suspect != nil {
		failure.Frontier, failure.CRC64 = b.suspect.Frontier, b.suspect.CRC64
	}
	b.settle(ctx, v.status, failure, nil)
	return nil
}

// finishIfGone lists what is archived of a stream that no longer exists, and turns the source's conditions into
// verdicts. Other errors, nil included, pass unchanged.
func (b *batch) finishIfGone(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, chat.ErrGone):
		if b.genesis != nil {
			if err := b.hopSurely(ctx); err != nil {
				return err // where time is up and the run is handed on, the next batch finds the group gone, too
			}
			if err := b.listAll(ctx, archive.StatusGone); err != nil {
				return err
			}
		}
		return &verdict{
			status: archive.StatusGone, code: codeOf(err),
			text: "the group or topic no longer exists and its remaining history is lost; what was archived is kept: " + err.Error(),
		}
	case errors.Is(err, chat.ErrUnsupported):
		return &verdict{status: archive.StatusUnsupported, code: codeOf(err), text: err.Error()}
	default:
		return err
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
	case errors.Is(err, pull.ErrProtocol):
		return "protocol"
	case errors.Is(err, chat.ErrMalformed):
		return "malformed_page"
	case errors.Is(err, objstore.ErrVersioned):
		return "versioned_bucket"
	case errors.Is(err, objstore.ErrCorrupt):
		return "checksum"
	case errors.Is(err, errNoProgress):
		return "no_progress"
	case errors.Is(err, errTimeUp), errors.Is(err, retry.ErrNoTime), errors.Is(err, context.DeadlineExceeded):
		return "no_time"
	default:
		return "error"
	}
}
