// Package pending asks Chat what there is to archive: which streams the app has, and how far each has come.
//
// It owns the pace of those calls. What a stream is, the sweep's listing knows. It must never read history: that is the
// engine's.
package pending

import (
	"context"
	"errors"

	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/retry"
	"chatexport/internal/sweep"
)

// concurrency is how many calls are in flight: an operator's list is not to crowd out the function.
const concurrency = 4

// Paced makes calls at a rate and repeats what may pass by itself.
type Paced struct {
	client *chatapi.Client
	caller *retry.Caller
	lister *sweep.Sweeper
}

// NewPaced returns a client that makes at most qps calls a second.
func NewPaced(c *chatapi.Client, qps int) *Paced {
	caller := chatapi.NewCaller(retry.NewLimiter(float64(qps)))
	return &Paced{client: c, caller: caller, lister: &sweep.Sweeper{
		Directory: c, Caller: caller, ListPace: retry.NewLimiter(sweep.ListQPS), Settings: sweep.Settings{Concurrency: concurrency},
	}}
}

// Page returns one page of history.
func (p *Paced) Page(ctx context.Context, q chat.Query) (page chat.Page, err error) {
	err = p.caller.Call(ctx, func(ctx context.Context) error {
		page, err = p.client.Page(ctx, q)
		if malformed, ok := errors.AsType[*chat.MalformedError](err); ok && malformed.Answer != nil {
			return spoiled{err}
		}
		return err
	})
	return page, err
}

// spoiled is an answer that cannot be read because of a message in it: that will hardly pass.
type spoiled struct{ error }

func (s spoiled) Unwrap() error           { return s.error }
func (s spoiled) RetryClass() retry.Class { return retry.Doubtful }

// All returns every stream of the app that may have a history.
func All(ctx context.Context, p *Paced) ([]chat.Facts, error) { return p.lister.Streams(ctx) }

// Infos asks for each of the streams. It returns the Facts of each, in their order; what is not there any more has Err.
func Infos(ctx context.Context, p *Paced, streams []chat.Stream) ([]chat.Facts, error) {
	return p.of(ctx, streams, func(asked, found chat.Stream) bool { return asked == found })
}

// Expand looks the streams up in Chat like Infos, but a group stands for all of its streams.
func Expand(ctx context.Context, p *Paced, streams []chat.Stream) ([]chat.Facts, error) {
	return p.of(ctx, streams, func(asked, found chat.Stream) bool { return asked == found || asked.TopicID == "" })
}

// of returns the streams of each group that are meant by the one that was asked for.
func (p *Paced) of(ctx context.Context, streams []chat.Stream, means func(asked, found chat.Stream) bool) ([]chat.Facts, error) {
	if len(streams) == 0 {
		return nil, nil
	}
	groups := make([]string, len(streams))
	for i, s := range streams {
		groups[i] = s.GroupID
	}
	found, err := p.lister.Streams(ctx, groups...)
	if err != nil {
		return nil, err
	}
	byGroup := make(map[string][]chat.Facts)
	for _, facts := range found {
		byGroup[facts.GroupID] = append(byGroup[facts.GroupID], facts)
	}
	var all []chat.Facts
	for _, s := range streams {
		before := len(all)
		for _, facts := range byGroup[s.GroupID] {
			if means(s, facts.Stream) {
				all = append(all, facts)
			}
		}
		if len(all) == before {
			all = append(all, chat.Facts{Stream: s, Err: chat.ErrGone})
		}
	}
	return all, nil
}
