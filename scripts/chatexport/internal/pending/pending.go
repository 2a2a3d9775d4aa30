// Package pending asks Chat what there is to archive: which streams the app has, and how far each has come.
//
// It owns the pacing and the grouping of those calls. It must never read history: that is the engine's.
package pending

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/retry"
)

// Client is what is asked of Chat. Every method makes one attempt, whose error tells by its class (retry.ClassOf) what may
// follow; Paced repeats.
type Client interface {
	// GroupInfos describes at most chatapi.MaxGroupInfos groups, in the order of ids; one that is gone has its own Err.
	GroupInfos(ctx context.Context, ids []string) ([]chat.Facts, error)
	// Topics returns all topics of a community; one that cannot be read has its own Err.
	Topics(ctx context.Context, groupID string) ([]chat.Facts, error)
	// GroupIDs returns at most limit ids (1 to chatapi.MaxGroupIDs) of the app's groups of one type, and where to go on: 0
	// at first and at the end. An id may come twice.
	GroupIDs(ctx context.Context, next uint64, limit int, groupType string) ([]string, uint64, error)
	// Page returns one page of history.
	Page(ctx context.Context, q chat.Query) (chat.Page, error)
}

// Paced makes calls at a rate and repeats what may pass by itself.
type Paced struct {
	Client  Client
	limiter *retry.Limiter
}

// NewPaced returns a client that makes at most qps calls a second.
func NewPaced(c Client, qps int) *Paced {
	return &Paced{Client: c, limiter: retry.NewLimiter(float64(qps))}
}

// Do makes one call, paced and repeated.
func (p *Paced) Do(ctx context.Context, call func(ctx context.Context) error) error {
	policy := retry.Policy{Base: 200 * time.Millisecond, Cap: 5 * time.Second, Attempts: 5}
	return policy.Do(ctx, func(ctx context.Context, _ int) error {
		if err := p.limiter.Wait(ctx); err != nil {
			return err
		}
		err := call(ctx)
		p.limiter.Observe(err)
		return err
	})
}

// Page returns one page of history.
func (p *Paced) Page(ctx context.Context, q chat.Query) (page chat.Page, err error) {
	err = p.Do(ctx, func(ctx context.Context) error {
		page, err = p.Client.Page(ctx, q)
		return err
	})
	return page, err
}

// groupIDs reads one page of the list of groups. The service takes one such call a second, whatever the app's quota is,
// so these have a patience of their own and do not slow the others down.
func groupIDs(ctx context.Context, p *Paced, next uint64) (ids []string, following uint64, err error) {
	policy := retry.Policy{Base: time.Second, Cap: 4 * time.Second, Attempts: 6}
	err = policy.Do(ctx, func(ctx context.Context, _ int) error {
		ids, following, err = p.Client.GroupIDs(ctx, next, chatapi.MaxGroupIDs, "")
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list groups: %w", err)
	}
	return ids, following, nil
}

// Infos asks for each of the streams, 50 groups a call and all topics of a community in one. It returns the Facts of each,
// in their order.
func Infos(ctx context.Context, p *Paced, streams []chat.Stream) ([]chat.Facts, error) {
	found := map[chat.Stream]chat.Facts{}
	var groups, communities []string
	for _, s := range streams {
		switch {
		case s.TopicID == "" && !slices.Contains(groups, s.GroupID):
			groups = append(groups, s.GroupID)
		case s.TopicID != "" && !slices.Contains(communities, s.GroupID):
			communities = append(communities, s.GroupID)
		}
	}
	for ids := range slices.Chunk(groups, chatapi.MaxGroupInfos) {
		infos, err := groupInfos(ctx, p, ids)
		if err != nil {
			return nil, err
		}
		for _, g := range infos {
			found[g.Stream] = g
		}
	}
	for _, id := range communities {
		topics, err := topicsOf(ctx, p, id)
		if err != nil && !errors.Is(err, chat.ErrGone) && !errors.Is(err, chat.ErrUnsupported) {
			return nil, err
		}
		for _, info := range topics {
			found[info.Stream] = info
		}
	}
	infos := make([]chat.Facts, len(streams))
	for i, s := range streams {
		info, ok := found[s]
		if !ok {
			info = chat.Facts{Stream: s, Err: chat.ErrGone}
		}
		infos[i] = info
	}
	return infos, nil
}

func groupInfos(ctx context.Context, p *Paced, ids []string) (infos []chat.Facts, err error) {
	err = p.Do(ctx, func(ctx context.Context) error {
		infos, err = p.Client.GroupInfos(ctx, ids)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ask for groups: %w", err)
	}
	return infos, nil
}

func topicsOf(ctx context.Context, p *Paced, groupID string) ([]chat.Facts, error) {
	var topics []chat.Facts
	err := p.Do(ctx, func(ctx context.Context) (err error) {
		topics, err = p.Client.Topics(ctx, groupID)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ask for the topics of %s: %w", groupID, err)
	}
	return slices.DeleteFunc(topics, func(t chat.Facts) bool { return t.TopicID == "" }), nil
}

// All returns every stream of the app that may have a history: its groups but AVChatRooms, and the topics of its
// communities. progress is told how many groups were looked at.
func All(ctx context.Context, p *Paced, progress func(groups int)) ([]chat.Facts, error) {
	var all []chat.Facts
	var next uint64
	seen := map[string]bool{}
	for {
		ids, following, err := groupIDs(ctx, p, next)
		if err != nil {
			return nil, err
		}
		next = following
		ids = slices.DeleteFunc(ids, func(id string) bool { // the list may name a group twice
			again := seen[id]
			seen[id] = true
			return again
		})
		for some := range slices.Chunk(ids, chatapi.MaxGroupInfos) {
			infos, err := groupInfos(ctx, p, some)
			if err != nil {
				return nil, err
			}
			for _, g := range infos {
				if all, err = add(ctx, p, all, g); err != nil {
					return nil, err
				}
			}
			progress(len(some))
		}
		if next == 0 {
			return all, nil
		}
	}
}

func add(ctx context.Context, p *Paced, all []chat.Facts, g chat.Facts) ([]chat.Facts, error) {
	const room = "AVChatRoom"
	if g.Type == room {
		return all, nil
	}
	topics, err := Topics(ctx, p, g)
	if err != nil {
		return nil, err
	}
	if len(topics) == 0 {
		topics = []chat.Facts{g}
	}
	return append(all, topics...), nil
}

// Topics returns the topics of a community, none for any other group.
func Topics(ctx context.Context, p *Paced, info chat.Facts) ([]chat.Facts, error) {
	const community = "Community"
	if info.Type != community || info.Stream.TopicID != "" {
		return nil, nil
	}
	topics, err := topicsOf(ctx, p, info.Stream.GroupID)
	if errors.Is(err, chat.ErrUnsupported) || errors.Is(err, chat.ErrGone) {
		return nil, nil // a community without topics
	}
	return topics, err
}
