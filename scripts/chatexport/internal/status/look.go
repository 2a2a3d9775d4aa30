package status

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/objstore"
	"chatexport/internal/panics"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/pending"
	"chatexport/scripts/chatexport/internal/target"
)

// Result is how all streams are doing; it is what --json prints.
type Result struct {
	Where   string    `json:"where"`
	At      time.Time `json:"at"`
	Trouble bool      `json:"trouble"` // exit code 1
	Done    int       `json:"done"`
	Running int       `json:"running"`
	Failing int       `json:"failing"`
	Late    int       `json:"late"`
	Stuck   int       `json:"stuck"`
	AtRisk  int       `json:"at_risk"` // of any verdict, messages or files
	Streams []Stream  `json:"streams"`
}

// Stream is how one stream is doing.
type Stream struct {
	Stream  chat.Stream `json:"-"`
	GroupID string      `json:"group_id"`
	TopicID string      `json:"topic_id,omitempty"`

	Verdict Verdict `json:"verdict"`
	AtRisk  bool    `json:"at_risk"`
	Status  string  `json:"status"` // of the state; without one that of the newest manifest, empty if more is archived than it lists

	Frontier chat.Seq `json:"frontier"`
	Head     chat.Seq `json:"head"`
	Pending  int64    `json:"pending"` // seqs from the frontier to the head

	CompleteAt time.Time `json:"complete_at,omitzero"` // when it was last known to be complete
	AgeSeconds int64     `json:"age_seconds"`          // since then, or since the archive began
	UpdatedAt  time.Time `json:"updated_at,omitzero"`

	FirstLo   chat.Seq `json:"first_lo"`
	Messages  int64    `json:"messages"`
	Expired   int64    `json:"expired"` // before they could be archived
	Absent    int64    `json:"absent"`
	Malformed int64    `json:"malformed"`
	Chunks    int64    `json:"chunks"`
	Bytes     int64    `json:"bytes"`

	Media   *Media              `json:"media,omitempty"`    // nil without links
	Looks   *Looks              `json:"looks,omitempty"`    // nil where nothing is known of any
	LastRun *LastRun            `json:"last_run,omitempty"` // of the newest manifest
	Lease   *archive.Lease      `json:"lease,omitempty"`
	Error   *archive.StateError `json:"error,omitempty"`
	Advice  string              `json:"advice,omitempty"`

	links  int64    // that were archived
	listed chat.Seq // the last seq that a manifest lists

	looked *archive.Pin // the last look's receipt that a manifest names
}

// LastRun is the run of the newest manifest.
type LastRun struct {
	Run        string    `json:"run"`
	Status     string    `json:"status"`
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at"`
}

// look reads all streams.
func look(ctx context.Context, t *target.Target, o options, ids []string, console *cli.Console) (Result, error) {
	r := Result{Where: t.Where, At: o.now().UTC().Truncate(time.Second)}
	known, err := catalog.Streams(ctx, t.Store)
	if err != nil {
		return r, err
	}
	if len(known) == 0 {
		return r, cli.Usage(fmt.Errorf("there is no archive in %s", t.Where))
	}
	chosen, err := target.Match(known, ids)
	if err != nil {
		return r, err
	}
	newest, err := newestSeqs(ctx, t, o, chosen)
	if err != nil {
		return r, err
	}
	var done atomic.Int64
	stop := console.Follow("reading", "streams", int64(len(chosen)), done.Load)
	defer stop()
	r.Streams = make([]Stream, len(chosen))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(o.parallel)
	for i, s := range chosen {
		group.Go(func() error {
			defer done.Add(1)
			return panics.Caught(func() error {
				one, err := read(ctx, t.Store, s)
				if err == nil && o.files {
					err = one.files(ctx, t.Store, one.FirstLo)
				}
				if err != nil {
					return fmt.Errorf("%s: %w", s, err)
				}
				if next, ok := newest[s]; ok {
					one.Head = max(one.Head, next-1)
				}
				if one.Media != nil {
					one.Media.Off = !t.Config.ExportMedia
				}
				if one.Looks != nil {
					one.Looks.Off = t.Config.ExportLook == 0
				}
				judge(&one, r.At, o.maxAge, time.Duration(t.Config.ChatRetentionDays)*24*time.Hour)
				r.Streams[i] = one
				return nil
			})
		})
	}
	if err := group.Wait(); err != nil {
		return r, err
	}
	r.count()
	slices.SortStableFunc(r.Streams, func(a, b Stream) int {
		return cmp.Or(cmp.Compare(a.Rank(), b.Rank()), cmp.Compare(b.AgeSeconds, a.AgeSeconds))
	})
	return r, nil
}

// newestSeqs asks Chat for the seq that follows the newest message of each stream.
func newestSeqs(ctx context.Context, t *target.Target, o options, streams []chat.Stream) (map[chat.Stream]chat.Seq, error) {
	if !o.chat {
		return nil, nil
	}
	client, err := t.Chat()
	if err != nil {
		return nil, err
	}
	infos, err := pending.Infos(ctx, pending.NewPaced(client, t.Config.ChatQPS), streams)
	if err != nil {
		return nil, err
	}
	next := map[chat.Stream]chat.Seq{}
	for _, info := range infos {
		if info.NextSeq > 0 {
			next[info.Stream] = info.NextSeq
		}
	}
	return next, nil
}

// read reads one stream's small objects. What of them is damaged is the stream's trouble, not the command's. A state spares
// reading all manifests; without one, they and the chunks tell the same.
func read(ctx context.Context, store catalog.Store, s chat.Stream) (Stream, error) {
	one := Stream{Stream: s, GroupID: s.GroupID, TopicID: s.TopicID}
	genesis, err := catalog.Genesis(ctx, store, s)
	switch {
	case errors.Is(err, catalog.ErrNoArchive):
	case catalog.Damaged(err):
		one.trouble("genesis_invalid", err)
	case err != nil:
		return one, err
	default:
		one.FirstLo, one.Frontier, one.Head = genesis.FirstLo, genesis.FirstLo, genesis.Head
		one.UpdatedAt = genesis.CreatedAt
		one.Expired = int64(genesis.FirstLo - 1)
	}
	state, err := catalog.State(ctx, store, s)
	switch {
	case catalog.Damaged(err):
		// A hint that cannot be read is none, for readers as for the function, which then writes it anew.
		one.fail("state_invalid", err)
	case err != nil:
		return one, err
	}
	switch {
	case state != nil:
		one.state(state)
		err = one.newest(ctx, store, state.ManifestAfter)
	case one.FirstLo > 0:
		err = one.walk(ctx, store, genesis.FirstLo)
	default:
		return one, nil
	}
	if err == nil {
		err = one.media(ctx, store, max(genesis.FirstLo, 1), state)
	}
	if err == nil {
		err = one.looks(ctx, store, state)
	}
	return one, err
}

// newest reads the manifest that the state names.
func (s *Stream) newest(ctx context.Context, store catalog.Store, hint *archive.Pin) error {
	if hint == nil {
		return nil
	}
	m, err := catalog.Manifest(ctx, store, s.Stream, hint.Lo)
	switch {
	case errors.Is(err, objstore.ErrNotExist):
		s.trouble("manifest_missing", errors.New("the newest manifest that the state names does not exist"))
	case catalog.Damaged(err):
		s.trouble("manifest_invalid", err)
	case err != nil:
		return err
	default:
		s.run(&m)
		if s.CompleteAt.IsZero() && m.Status != archive.StatusPartial {
			s.CompleteAt = m.FinishedAt
		}
	}
	return nil
}

// walk finds from manifests and chunks what the state would tell.
func (s *Stream) walk(ctx context.Context, store catalog.Store, lo chat.Seq) error {
	for m, err := range catalog.Manifests(ctx, store, s.Stream, lo) {
		if err != nil {
			return s.damaged("manifest_invalid", err)
		}
		s.run(&m)
		s.count(m.Totals.Counts, int64(m.Totals.Chunks), m.Totals.Bytes)
		s.Frontier, s.Head, s.UpdatedAt, s.Status = m.Hi+1, m.Head, m.FinishedAt, ""
		if m.Status != archive.StatusPartial {
			s.Status, s.CompleteAt = m.Status, m.FinishedAt
		}
	}
	for c, err := range catalog.Unlisted(ctx, store, s.Stream, s.Frontier) {
		if err != nil {
			return s.damaged("foreign_object", err)
		}
		s.count(c.Counts, 1, c.Bytes)
		s.Frontier, s.Head, s.Status = c.Hi+1, max(s.Head, c.Hi), ""
	}
	return nil
}

func (s *Stream) run(m *archive.Manifest) {
	s.listed = m.Hi
	if m.Trails.Change != nil {
		s.looked = m.Trails.Change
	}
	s.LastRun = &LastRun{Run: m.Run, Status: m.Status, StartedAt: m.StartedAt, FinishedAt: m.FinishedAt}
}

func (s *Stream) count(c archive.Counts, chunks, bytes int64) {
	s.Messages += c.Elements()
	s.Malformed += c.Malformed
	s.Absent += c.Absent
	s.Expired += c.Expired
	s.Chunks += chunks
	s.Bytes += bytes
	s.links += c.Links
}

// trouble records damage that this command itself found.
func (s *Stream) trouble(code string, err error) {
	s.Status = archive.StatusDamaged
	s.fail(code, err)
}

func (s *Stream) fail(code string, err error) {
	s.Error = &archive.StateError{Code: code, Text: err.Error(), Frontier: s.Frontier}
}

// damaged is trouble, if err is about the archive.
func (s *Stream) damaged(code string, err error) error {
	if catalog.Damaged(err) {
		s.trouble(code, err)
		return nil
	}
	return err
}

func (s *Stream) state(state *archive.State) {
	s.Frontier, s.Head, s.UpdatedAt = max(s.Frontier, state.Frontier), state.Head, state.UpdatedAt
	s.count(state.Counters.Counts, state.Counters.Chunks, state.Counters.Bytes)
	s.Lease = state.Lease
	if s.Status == archive.StatusDamaged {
		return
	}
	s.Status, s.Error = state.Status, state.Error
	if state.Status == archive.StatusComplete && state.Error == nil && state.Lease == nil {
		s.CompleteAt = state.UpdatedAt
	}
}

func (r *Result) count() {
	for i := range r.Streams {
		s := &r.Streams[i]
		switch s.Verdict {
		case Stuck:
			r.Stuck++
		case Failing:
			r.Failing++
		case Late:
			r.Late++
		case Running:
			r.Running++
		default:
			r.Done++
		}
		if s.AtRisk || s.FilesAtRisk() {
			r.AtRisk++
		}
	}
	r.Trouble = r.Stuck+r.Failing+r.Late > 0
}
