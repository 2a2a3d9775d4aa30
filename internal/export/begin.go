package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chain"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// begin starts the archive of a stream that has none where findHead has found its history to begin, or takes the beginning
// that another batch pinned.
func (t *tail) begin(ctx context.Context, goal head) error {
	first := goal.floor.First
	switch _, _, err := t.manifests.get(ctx, first); {
	case err == nil:
		// Another batch has begun and listed something since this one looked. If not, the archive's beginning was lost:
		// that is no fresh start.
		err := t.takeGenesis(ctx)
		if errors.Is(err, objstore.ErrNotExist) {
			return damaged("genesis_missing", "%s exists and the genesis does not", layout.Manifest(t.Stream, first))
		}
		return err
	case !errors.Is(err, objstore.ErrNotExist):
		return err
	}
	genesis := archive.Genesis{
		Format: archive.Format, SDKAppID: t.Limits.SDKAppID, GroupID: t.Stream.GroupID, TopicID: t.Stream.TopicID,
		CreateTime: goal.created, FirstLo: first, Head: goal.to, CreatedAt: time.Now(),
		ExpiredBelow: archive.ExpiredBelow{Seq: first, Evidence: evidence(goal.floor, 1), Probes: goal.floor.Probes},
	}
	body, err := genesis.Encode()
	if err != nil {
		return fmt.Errorf("encode genesis: %w", err)
	}
	key := layout.Genesis(t.Stream)
	// A crash right after this write: the next batch takes this genesis.
	wrote, err := chain.Create(ctx, t.store, key, objstore.Write{Body: body, ContentType: contentJSON}, t.takeGenesis)
	if err != nil {
		return fmt.Errorf("write genesis: %w", err)
	}
	if !wrote {
		return nil
	}
	if err := t.use(key, body); err != nil {
		return err
	}
	t.stand(first, 0)
	t.manifests.fromGenesis()
	if t.missed = first - 1; t.missed > 0 {
		t.Log.Info().Int64("lo", 1).Int64("hi", int64(t.missed)).Str("evidence", genesis.ExpiredBelow.Evidence).
			Msg("the archive begins behind messages that had expired")
	}
	return nil
}

// takeGenesis goes on in the archive that another batch has begun since this one looked, or this one itself, without
// hearing of it.
func (t *tail) takeGenesis(ctx context.Context) error {
	key := layout.Genesis(t.Stream)
	body, _, err := t.store.Get(ctx, key)
	if err != nil {
		return unreadable("genesis", key, err)
	}
	if err := t.use(key, body); err != nil {
		return err
	}
	t.stand(t.genesis.FirstLo, 0)
	return t.hop(ctx) // whoever wrote it may have gone on
}
