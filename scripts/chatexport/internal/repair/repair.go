package repair

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/rs/zerolog"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/pull"
	"chatexport/internal/retry"
	"chatexport/internal/verify"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/target"
)

// State is what became of an object. The names are stable.
type State string

// What may become of an object.
const (
	Mended      State = "mended"
	Mendable    State = "mendable"     // it was only tried, or the next run does it
	RemoveFirst State = "remove_first" // by somebody who may
	NotMended   State = "not_mended"
)

// Result is what was found and done; it is what --json prints.
type Result struct {
	Where   string   `json:"where"`
	DryRun  bool     `json:"dry_run"`
	Good    bool     `json:"good"` // nothing is left to be done
	Mended  int      `json:"mended"`
	Streams []Stream `json:"streams"`           // those with anything to mend
	Objects []Object `json:"objects,omitempty"` // of no stream
}

// Stream is what was found and done in one stream.
type Stream struct {
	Stream  chat.Stream `json:"-"`
	GroupID string      `json:"group_id"`
	TopicID string      `json:"topic_id,omitempty"`
	Objects []Object    `json:"objects"`
}

// Object is one object that is missing, damaged or in the way.
type Object struct {
	Key   string `json:"key"` // below the archive's prefix
	State State  `json:"state"`
	Text  string `json:"text"`
}

// source answers what is asked again.
type source interface {
	pull.Source
	Group(ctx context.Context, s chat.Stream) (chat.Facts, error)
}

type repairer struct {
	store       target.Store
	engine      objstore.Store
	source      source // nil without an app
	caller      *retry.Caller
	fetcher     fetcher         // nil without an app
	back        map[string]bool // files that were put back, by key: other streams may name them, too
	concurrency int
	span        chat.Seq // most seqs in a chunk
	opts        verify.Options
	dryRun      bool
	bucket      bool // the function may go on with it
	result      Result
	done        atomic.Int64
}

func newRepairer(t *target.Target, o options) (*repairer, error) {
	r := &repairer{
		store: t.Store, engine: t.Engine, dryRun: o.dryRun, back: map[string]bool{}, bucket: t.COS != nil, concurrency: t.Config.ChatConcurrency, span: chat.Seq(t.Config.ExportSpan),
		opts:   verify.Options{Level: verify.LevelChain, Files: o.files, SDKAppID: t.Config.ChatSDKAppID},
		result: Result{Where: t.Where, DryRun: o.dryRun, Streams: []Stream{}},
	}
	if o.read {
		r.opts.Level = verify.LevelFull
	}
	if t.Config.ChatSDKAppID == 0 { // not configured
		return r, nil
	}
	client, err := t.Chat()
	if err != nil {
		return nil, err
	}
	r.source, r.caller = client, chatapi.NewCaller(retry.NewLimiter(float64(t.Config.ChatQPS)))
	r.fetcher = t.Fetcher(client, r.caller)
	return r, nil
}

func (r *repairer) all(ctx context.Context, ids []string, console *cli.Console) error {
	stop := console.Follow("verifying", "streams", -1, r.done.Load)
	defer stop()
	findings, err := target.Verified(ctx, r.store, r.result.Where, r.opts, ids, func(report verify.Report) error {
		s := report.Stream
		p := &patient{repairer: r, stream: s}
		err := p.mend(ctx, &report)
		if len(p.objects) > 0 {
			r.result.Streams = append(r.result.Streams, Stream{Stream: s, GroupID: s.GroupID, TopicID: s.TopicID, Objects: p.objects})
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
		r.done.Add(1)
		return nil
	})
	for _, f := range findings {
		r.result.Objects = append(r.result.Objects, Object{f.Key, RemoveFirst, f.Text + moveAway})
	}
	return err
}

// moveAway is what helps against an object that has no place in an archive.
const moveAway = "; whoever may moves it elsewhere"

// patient is one stream under repair.
type patient struct {
	*repairer

	stream  chat.Stream
	end     chat.Seq          // the last seq that is archived
	faults  map[string]string // what is wrong, by key
	genesis archive.Genesis
	state   *archive.State
	listed  map[chat.Seq]listed // chunks with faults, as manifests list them
	last    archive.Link        // end of the chain of manifests that can be followed from genesis
	next    chat.Seq            // lo of the manifest behind it
	pinned  *archive.Manifest   // the first manifest behind the place where the chain breaks
	objects []Object
}

// listed is a chunk as its manifest lists it, and the build that wrote the manifest.
type listed struct {
	archive.ChunkEntry

	build string
}

func (p *patient) add(key string, state State, format string, args ...any) {
	p.objects = append(p.objects, Object{Key: key, State: state, Text: fmt.Sprintf(format, args...)})
}

// did records what was done, or could have been.
func (p *patient) did(key, format string, args ...any) {
	state := Mended
	if p.dryRun {
		state = Mendable
	}
	p.add(key, state, format, args...)
}

func (p *patient) mend(ctx context.Context, report *verify.Report) error {
	p.end, p.faults = report.Hi, map[string]string{}
	for _, f := range report.Findings {
		if f.Kind == verify.KindFormat {
			p.add(f.Key, NotMended, "%s; nothing of this stream is touched: repair it with the version that wrote it", f.Text)
			return nil
		}
		p.fault(f.Key, f.Text)
	}
	if report.Copied > 0 && p.bucket {
		p.add(layout.ChunkPrefix(p.stream), RemoveFirst, "%s without metadata, as in a plain copy: they can be proved and read, but the function does not go on with them. Whoever may mirrors and removes them, and chatexport restore puts them back with metadata",
			cli.Plural(report.Copied, "chunk"))
	}
	if err := p.hints(ctx); err != nil || len(p.faults) == 0 {
		return err
	}
	if known, err := p.begin(ctx); err != nil || !known {
		return err
	}
	if err := p.read(ctx); err != nil {
		return err
	}
	// Chunks first: manifests are made from them.
	for _, kind := range []layout.Kind{0, layout.KindChunk, layout.KindManifest, layout.KindMedia, layout.KindChange, layout.KindState} {
		for _, key := range slices.Sorted(maps.Keys(p.faults)) {
			name, _ := layout.Parse(key) // foreign ones have the kind 0
			if name.Kind != kind {
				continue
			}
			if err := p.object(ctx, key, name); err != nil {
				return err
			}
		}
	}
	return p.blobs(ctx)
}

// begin reads the genesis. Without the one that it was, nothing can be judged.
func (p *patient) begin(ctx context.Context) (known bool, err error) {
	key := layout.Genesis(p.stream)
	p.genesis, err = catalog.Genesis(ctx, p.store, p.stream)
	switch {
	case errors.Is(err, catalog.ErrNoArchive):
		p.add(key, NotMended, "does not exist, and the time and evidence in it are nowhere else; only a copy has it: chatexport restore")
		return false, nil
	case catalog.Damaged(err):
		p.add(key, RemoveFirst, "%v; nothing but a copy has it: whoever may removes it, and chatexport restore puts it back", err)
		return false, nil
	case err != nil:
		return false, err
	}
	if fault, ok := p.faults[key]; ok {
		p.add(key, NotMended, "%s; nothing of this stream is touched", fault)
		return false, nil
	}
	return true, nil
}

// hints reads the state, which may know of a fault that nothing else tells of: a chunk that is not what a batch wrote.
func (p *patient) hints(ctx context.Context) (err error) {
	p.state, err = catalog.State(ctx, p.store, p.stream)
	if catalog.Damaged(err) {
		return nil // told by its own fault
	}
	if err != nil || p.state == nil {
		return err
	}
	if e := p.state.Error; e != nil && e.Code == archive.CodeChunkCorrupt {
		key := layout.Chunk(p.stream, e.Frontier)
		o, err := p.store.Head(ctx, key)
		if err == nil && strconv.FormatUint(o.CRC64, 10) != e.CRC64 {
			p.fault(key, "is not what was written: its crc64 should be "+e.CRC64)
		}
		if err != nil && !errors.Is(err, objstore.ErrNotExist) {
			return err
		}
	}
	return nil
}

// fault notes what is wrong with an object, the first thing of several.
func (p *patient) fault(key, text string) {
	if p.faults[key] == "" {
		p.faults[key] = text
	}
}

// read goes over all manifests that can be read, and notes what they say of the chunks with faults, and where the chain breaks.
func (p *patient) read(ctx context.Context) error {
	body, _, err := p.store.Get(ctx, layout.Genesis(p.stream))
	if err != nil {
		return err
	}
	p.listed = map[chat.Seq]listed{}
	p.last, p.next = archive.Link{Key: layout.Genesis(p.stream), SHA256: archive.SHA256(body)}, p.genesis.FirstLo
	for entry, err := range p.store.List(ctx, layout.ManifestPrefix(p.stream), "") {
		if err != nil {
			return err
		}
		name, err := layout.Parse(entry.Key)
		if err != nil || name.Kind != layout.KindManifest {
			continue
		}
		body, _, err := p.store.Get(ctx, entry.Key)
		if err != nil && !catalog.Damaged(err) && !errors.Is(err, objstore.ErrNotExist) {
			return err
		}
		m, err := archive.ParseManifest(body)
		if err != nil || m.Stream() != p.stream || m.Lo != name.Lo {
			continue // told by its own fault
		}
		for _, c := range m.Chunks {
			_, faulty := p.faults[c.Key]
			if _, told := p.listed[c.Lo]; faulty && !told { // by a manifest before this one, which the chain reaches first
				p.listed[c.Lo] = listed{c, m.Build}
			}
		}
		switch {
		case m.Lo == p.next && m.Previous == p.last:
			p.last, p.next = archive.Link{Key: entry.Key, SHA256: archive.SHA256(body)}, m.Hi+1
		case p.pinned == nil:
			p.pinned = &m
		}
	}
	return nil
}

func (p *patient) object(ctx context.Context, key string, name layout.Name) error {
	switch name.Kind {
	case layout.KindChunk:
		return p.chunk(ctx, key, name.Lo)
	case layout.KindManifest:
		return p.manifest(ctx, key, name.Lo)
	case layout.KindMedia, layout.KindChange:
		return p.receipt(ctx, key)
	case layout.KindState:
		return p.hint(ctx, key)
	default:
		p.add(key, RemoveFirst, "%s", p.faults[key]+moveAway)
		return nil
	}
}

// hint deals with a state. The function makes its hints anew where they are gone, but believes one that is ahead, and stops.
func (p *patient) hint(ctx context.Context, key string) error {
	if p.state == nil {
		p.add(key, Mendable, "%s; it holds hints only: the next run writes it anew", p.faults[key])
		return nil
	}
	after := p.state.After
	_, err := p.store.Head(ctx, layout.Chunk(p.stream, after))
	_, listed := p.listed[after]
	switch {
	case after != 0 && errors.Is(err, objstore.ErrNotExist) && !listed:
		// A crash right after this: the function finds from genesis on what there is, and goes on there.
		if err := p.rewrite(ctx, archive.State{Status: archive.StatusRunning}); err != nil {
			return err
		}
		p.did(key, "the chunks that it remembers up to %d are gone, and no manifest lists them: it is set back, and the next run pulls them again, as far as they are still stored", p.state.Frontier-1)
	case err != nil && !errors.Is(err, objstore.ErrNotExist):
		return err
	case len(p.objects) == 0: // else it follows from what was found
		p.add(key, NotMended, "%s; compare with the sha256 that the log kept (verify --expect): where the archive is right, whoever may removes this hint, and the next run writes it anew", p.faults[key])
	}
	return nil
}

// rewrite puts other hints into the state. All but where the archive stands is kept.
func (p *patient) rewrite(ctx context.Context, place archive.State) error {
	if p.dryRun {
		return nil
	}
	state := *p.state
	state.Frontier, state.After, state.ManifestAfter, state.Status = place.Frontier, place.After, place.ManifestAfter, place.Status
	body, err := state.Encode()
	if err != nil {
		return err
	}
	_, err = p.engine.Overwrite(ctx, layout.State(p.stream), objstore.Write{Body: body, ContentType: archive.JSONContentType})
	return err
}

// reader reads the stream's history again.
func (p *patient) reader() *pull.Reader {
	return &pull.Reader{
		Source: p.source, Caller: p.caller, Stream: p.stream, Concurrency: p.concurrency, Log: zerolog.Nop(),
		Before: pull.Range{First: p.genesis.FirstLo, Last: p.end},
	}
}
