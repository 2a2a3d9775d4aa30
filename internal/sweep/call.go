package sweep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/retry"
)

// errTimeUp is wrapped by the failure of a call that the end of the batch cut off: nothing is known by it.
var errTimeUp = errors.New("time was up before the call was answered")

// errSlow is wrapped by the failure of a call that used up its share of the batch: the class of what it met at last says
// no more than that.
var errSlow = errors.New("the call took too long")

// ask makes one call within a share of the batch. Its first turn may be a long time coming: only from then on patience
// runs. It fails with errTimeUp whenever ctx has ended.
func ask[T any](ctx context.Context, c *retry.Caller, patience time.Duration, attempt func(ctx context.Context) (T, error)) (answer T, err error) {
	if err := c.Turn(ctx); err != nil {
		return answer, fmt.Errorf("%w: %w", errTimeUp, err)
	}
	end, ok := ctx.Deadline()
	cutOff := ok && end.Before(time.Now().Add(patience))
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last error
	err = c.Do(bounded, func(ctx context.Context) error {
		answer, last = attempt(ctx)
		return last
	})
	switch {
	case err == nil:
	case ctx.Err() != nil, cutOff && (bounded.Err() != nil || errors.Is(err, retry.ErrNoTime)):
		err = fmt.Errorf("%w: %w", errTimeUp, err)
	case bounded.Err() != nil:
		err = fmt.Errorf("%w: %w", errSlow, last)
	case last != nil && !errors.Is(err, last): // no turn was left for another attempt
		err = fmt.Errorf("%w; %w", last, err)
	}
	return answer, err
}

// refusal is an error of the directory or of the engine's source that carries the service's own code.
type refusal interface {
	retry.Classified

	ErrorCode() string
}

// ofGroup reports whether a failure is about a group, and not about the service or the app's settings.
func ofGroup(err error) bool {
	for _, condition := range []error{chat.ErrGone, chat.ErrUnsupported, chat.ErrTooLarge, chat.ErrMalformed, chat.ErrInvalidStream} {
		if errors.Is(err, condition) {
			return true
		}
	}
	return false
}

// ofApp reports whether a failure would meet every call of its kind: the service refuses the credentials or the
// settings, or the app's quota is used up.
func ofApp(err error) bool {
	if errors.Is(err, errSlow) {
		return false
	}
	_, refused := errors.AsType[refusal](err)
	return retry.ClassOf(err) == retry.Throttled || retry.ClassOf(err) == retry.Permanent && refused && !ofGroup(err)
}

// codeOf names a failure by the service's own code where it has one.
func codeOf(err error) string {
	var coded interface{ ErrorCode() string }
	if errors.As(err, &coded) {
		return coded.ErrorCode()
	}
	return "error"
}
