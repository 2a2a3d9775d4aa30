package target

import (
	"context"
	"fmt"

	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/verify"
	"chatexport/scripts/chatexport/internal/cli"
)

// Verified verifies the streams that the ids name, or the whole archive if there are none, and gives visit each report. It
// returns what was found of no stream. It is a usage error if there is nothing to verify.
func Verified(ctx context.Context, store verify.Store, where string, opts verify.Options, ids []string, visit func(verify.Report) error) ([]verify.Finding, error) {
	if len(ids) == 0 {
		summary, err := verify.Archive(ctx, store, opts, visit)
		if err == nil && summary.Streams == 0 {
			err = cli.Usage(fmt.Errorf("there is no archive in %s", where))
		}
		return summary.Findings, err
	}
	known, err := catalog.Streams(ctx, store)
	if err != nil {
		return nil, err
	}
	var chosen []chat.Stream
	if chosen, err = Match(known, ids); err != nil {
		return nil, err
	}
	for _, s := range chosen {
		report, err := verify.Stream(ctx, store, s, opts)
		if err == nil {
			err = visit(report)
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}
