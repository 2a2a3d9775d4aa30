package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"chatexport/internal/chatapi"
	"chatexport/internal/panics"
)

// overload sends more calls than the quota allows, once.
func overload(ctx context.Context, r *report, question string, call func(context.Context) error) {
	const rounds = 5
	codes := make(map[int]int)
	var mu sync.Mutex
	var calls errgroup.Group
	for range burst {
		calls.Go(func() error {
			return panics.Caught(func() error {
				for range rounds {
					err := call(ctx)
					code := 0
					if e, ok := errors.AsType[*chatapi.Error](err); ok {
						code = e.Code
					}
					mu.Lock()
					codes[code]++
					mu.Unlock()
				}
				return nil
			})
		})
	}
	if err := calls.Wait(); err != nil {
		r.answer(look, question, err.Error(), "nothing was learned.")
		return
	}
	seen := fmt.Sprintf("%d calls at once, by code: %v", burst*rounds, codes)
	known, other := 0, 0
	for code, n := range codes {
		switch code {
		case 60007, 60011, 60018, 60019, 10006:
			known += n
		case 0:
		default:
			other += n
		}
	}
	switch {
	case other > 0:
		r.answer(look, question, seen, "an unknown code: the function repeats such a call twice at most, and does not slow down. Please report it.")
	case known == 0:
		r.answer(fine, question, seen, "the quota was not reached; nothing was learned.")
	default:
		r.answer(asBuilt, question, seen, "the function slows down at this code.")
	}
}
