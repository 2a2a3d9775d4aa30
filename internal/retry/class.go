package retry

import "errors"

// Class says what a failed call may be followed by. Adapters classify, since only they know the service's codes;
// this package decides when, and the engine what it means for the stream.
type Class int

const (
	// Permanent failures are not repeated: the same call would fail again. The zero value, so that an error nobody
	// classified is never repeated for ever.
	Permanent Class = iota
	// Transient failures are repeated with back-off.
	Transient
	// Throttled calls were refused because calls come too fast: they are repeated, and the shared rate is lowered.
	Throttled
	// Doubtful failures have an unknown code: they are repeated at most twice.
	Doubtful
)

// Classified is implemented by errors whose adapter knows their class.
type Classified interface {
	error
	RetryClass() Class
}

// ClassOf returns the class of the first classified error in err's tree, Permanent if there is none.
func ClassOf(err error) Class {
	if c, ok := errors.AsType[Classified](err); ok {
		return c.RetryClass()
	}
	return Permanent
}
