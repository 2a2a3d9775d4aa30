package chatapi

import (
	"context"
	"errors"
	"fmt"
)

// callerCause describes a context that the caller has ended.
func callerCause(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || errors.Is(err, cause) {
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}
