package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/pull"
)

// begin starts the archive of a stream that has none: it finds where the retained history begins and pins that in the
// genesis. It reports true if there is nothing to archive yet.
func (b *batch) begin(ctx context.Context) (bool, error) {
	if b.head == 0 {
		b.nothingYet(ctx)
		return true, nil
	}
	reading, cancel := b.pullContext(ctx)
	defer cancel()
	newest := b.head
	f, first, err := b.reader.Beginning(reading, b.newest, b.void(chat.Seq(1), 0, b.head))
	if err != nil {
		return false, err
	}
	b.first = first
	if f.First > max(1, newest-settlingSeqs+1, b.allotted+1) && b.young(b.newest, newest) {
		b.nothingYet(ctx) // what seems to have expired may still be on its way
		return true, nil
	}
	if err := b.settleHead(reading, b.newest, f.First); err != nil {
		return false, err
	}
	if b.head < f.First && f.First <= newest {
		b.nothingYet(ctx) // what there is may still be settling
		return true, nil
	}
	if f.First > newest {
		b.head = newest // everything has expired: the archive begins behind it
	}
	b.walkedTo = f.WalkTo
	return false, b.createGenesis(ctx, f)
}

// void is a range that holds nothing retained up to known.
func (b *batch) void(from, known, head chat.Seq) pull.Void {
	return pull.Void{From: from, Known: known, Head: head, Exhaustive: b.Limits.Exhaustive, End: b.budget.pullEnd}
}

// evidence is why everything from a seq up to the floor is taken for expired.
func evidence(f pull.Floor, from chat.Seq) string {
	switch {
	case f.First == from:
		return archive.EvidenceNone
	case f.Proved:
		return archive.EvidenceFinished
	default:
		return archive.EvidenceProbe
	}
}

// nothingYet ends the batch of a stream without an archive: there is only its state.
func (b *batch) nothingYet(ctx context.Context) {
	b.head = 0
	b.outcome = Complete
	b.settle(ctx, archive.StatusComplete, nil, nil)
}

// createGenesis pins the beginning of the archive, or takes the one that another batch pinned.
func (b *batch) createGenesis(ctx context.Context, f pull.Floor) error {
	switch _, _, err := b.getManifest(ctx, f.First); {
	case err == nil:
		// Another batch has begun and listed something since this one looked. If not, the archive's beginning was lost:
		// that is no fresh start.
		err := b.takeGenesis(ctx)
		if errors.Is(err, objstore.ErrNotExist) {
			return damaged("genesis_missing", "%s exists and the genesis does not", layout.Manifest(b.Stream, f.First))
		}
		return err
	case !errors.Is(err, objstore.ErrNotExist):
		return err
	}
	genesis := archive.Genesis{
		Format: archive.Format, SDKAppID: b.Limits.SDKAppID, GroupID: b.Stream.GroupID, TopicID: b.Stream.TopicID,
		CreateTime: b.createTime, FirstLo: f.First, Head: b.head, CreatedAt: time.Now(),
		ExpiredBelow: archive.ExpiredBelow{Seq: f.First, Evidence: evidence(f, 1), Probes: f.Probes},
	}
	body, err := genesis.Encode()
	if err != nil {
		return fmt.Errorf("encode genesis: %w", err)
	}
	key := layout.Genesis(b.Stream)
	// A crash right after this write: the next batch takes this genesis.
	err = b.create(ctx, key, objstore.Write{Body: body, ContentType: contentJSON})
	if errors.Is(err, objstore.ErrExist) || errors.Is(err, objstore.ErrUnknown) {
		taken := b.takeGenesis(ctx)
		if errors.Is(taken, objstore.ErrNotExist) {
			return fmt.Errorf("write genesis: %w", err) // why it did not arrive, the write knows
		}
		return taken
	}
	if err != nil {
		return b.refused(fmt.Errorf("write genesis: %w", err))
	}
	if err := b.useGenesis(key, body); err != nil {
		return err
	}
	b.frontier, b.after = b.genesis.FirstLo, 0
	b.start = b.frontier
	b.index.restart(b.frontier, b.genesisLink)
	if b.missed = b.genesis.FirstLo - 1; b.missed > 0 {
		b.Log.Info().Int64("lo", 1).Int64("hi", int64(b.missed)).Str("evidence", evidence(f, 1)).Msg("the archive begins behind messages that had expired")
	}
	return nil
}

// takeGenesis goes on in the archive that another batch has begun since this one looked, or this one itself, without
// hearing of it.
func (b *batch) takeGenesis(ctx context.Context) error {
	key := layout.Genesis(b.Stream)
	body, _, err := b.Store.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("read genesis that another batch wrote: %w", err)
	}
	if err := b.useGenesis(key, body); err != nil {
		return err
	}
	b.frontier, b.after = b.genesis.FirstLo, 0
	b.start = b.frontier
	return b.hop(ctx) // whoever wrote it may have gone on
}

// refused turns a bucket on which create-only is void into a verdict: every further write could overwrite something.
func (b *batch) refused(err error) error {
	if !errors.Is(err, objstore.ErrVersioned) {
		return err
	}
	return &verdict{
		status: archive.StatusFailed, code: "versioned_bucket",
		text: "versioning was enabled on the bucket, which makes create-only writes void; use a bucket that never had it: " + err.Error(),
	}
}
