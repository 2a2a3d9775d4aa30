// Package rights tries what the function's role must be refused: to delete, replace or publish what is archived.
//
// It owns the list, for doctor and firstrun. Nothing is deleted or written by it.
package rights

import (
	"context"

	"chatexport/internal/layout"
	"chatexport/internal/objstore/cosstore"
)

// Owner says what it means that something is permitted.
const Owner = "the key of the bucket's owner may do that; the function's role must not"

// Trial is one thing that must be refused.
type Trial struct {
	What string // such as "delete below data/"
	// May reports whether the store's credentials may do it. An error means that this is not known.
	May func(context.Context, *cosstore.Store) (bool, error)
}

// Trials returns all of them.
func Trials() []Trial {
	var all []Trial
	for _, prefix := range []string{layout.DataPrefix, layout.ManifestPrefixRoot, layout.MediaPrefixRoot, layout.ChangePrefixRoot, layout.BlobPrefix} {
		all = append(all,
			Trial{"delete below " + prefix, func(ctx context.Context, s *cosstore.Store) (bool, error) { return s.MayDelete(ctx, prefix) }},
			Trial{"replace below " + prefix, func(ctx context.Context, s *cosstore.Store) (bool, error) { return s.MayReplace(ctx, prefix) }},
			Trial{"publish below " + prefix, func(ctx context.Context, s *cosstore.Store) (bool, error) { return s.MayPublish(ctx, prefix) }},
		)
	}
	return all
}
