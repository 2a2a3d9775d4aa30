package restore

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/dirstore"
	"chatexport/internal/verify"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/putback"
	"chatexport/scripts/chatexport/internal/target"
)

// Result is what became of a copy; it is what --json prints.
type Result struct {
	Where    string    `json:"where"`
	From     string    `json:"from"`
	Complete bool      `json:"complete"` // all that the copy has is in the bucket
	Written  int       `json:"written"`
	Streams  []Stream  `json:"streams"`
	Findings []Finding `json:"findings,omitempty"` // of no stream
}

// Stream is what became of one stream.
type Stream struct {
	Stream   chat.Stream `json:"-"`
	GroupID  string      `json:"group_id"`
	TopicID  string      `json:"topic_id,omitempty"`
	To       chat.Seq    `json:"to"` // up to here, it is in the bucket
	Written  int         `json:"written"`
	There    int         `json:"there"` // the same bytes were there already
	Findings []Finding   `json:"findings,omitempty"`

	mu *sync.Mutex // guards what is counted and found, while files are put side by side
}

// Finding is why something could not be put back.
type Finding struct {
	Key  string `json:"key"` // below the archive's prefix
	Text string `json:"text"`
}

// writer names this command in metadata that nothing else tells.
const writer = "restore"

// errInTheWay ends a stream: what stands in the way, or is damaged, was told, and nothing is put behind it.
var errInTheWay = errors.New("something else is there")

type restorer struct {
	from   *dirstore.Store
	to     objstore.Store
	result Result
	done   atomic.Int64
	files  files
}

// all restores the streams that ids name, or all that the copy has.
func (r *restorer) all(ctx context.Context, app int, ids []string, console *cli.Console) error {
	stop := console.Follow("restoring", "objects", -1, r.done.Load)
	defer stop()
	findings, err := target.Verified(ctx, r.from, r.from.Dir(), verify.Options{SDKAppID: app}, ids, func(report verify.Report) error {
		return r.stream(ctx, &report)
	})
	if err != nil {
		return err
	}
	for _, f := range findings {
		r.result.Findings = append(r.result.Findings, Finding{f.Key, f.Text})
	}
	r.result.Complete = len(r.result.Findings) == 0
	for i := range r.result.Streams {
		r.result.Complete = r.result.Complete && len(r.result.Streams[i].Findings) == 0
	}
	return nil
}

// stream restores one stream that was just proved, unless the proof failed.
func (r *restorer) stream(ctx context.Context, report *verify.Report) error {
	s := Stream{Stream: report.Stream, GroupID: report.GroupID, TopicID: report.TopicID, mu: &sync.Mutex{}}
	for _, f := range report.Findings {
		s.Findings = append(s.Findings, Finding{f.Key, f.Text})
	}
	var err error
	if report.Sound() {
		err = r.put(ctx, &s)
	}
	if errors.Is(err, catalog.ErrNoArchive) {
		return nil // a state alone, which is not put back
	}
	r.result.Written += s.Written
	r.result.Streams = append(r.result.Streams, s)
	if errors.Is(err, errInTheWay) {
		return nil
	}
	return err
}

// put writes a stream's objects so that whatever is there when it stops is a valid archive, and ever more of this one.
func (r *restorer) put(ctx context.Context, s *Stream) error {
	genesis, err := catalog.Genesis(ctx, r.from, s.Stream)
	// A crash right after genesis: the archive is empty, and a batch would begin it where the copy does.
	if err == nil {
		err = r.small(ctx, s, layout.Genesis(s.Stream))
	}
	if err != nil {
		return err
	}
	next, looks := genesis.FirstLo, looks{}
	for m, err := range catalog.Manifests(ctx, r.from, s.Stream, next) {
		if err != nil {
			return err
		}
		for i := range m.Chunks {
			// A crash right after a chunk: it counts, as one that a run has archived and not listed yet.
			if err := r.chunk(ctx, s, &m.Chunks[i]); err != nil {
				return err
			}
		}
		// A crash right after a manifest: everything up to its hi is as it was.
		if err := r.small(ctx, s, layout.Manifest(s.Stream, m.Lo)); err != nil {
			return err
		}
		if err := r.trail(ctx, s, &m); err != nil {
			return err
		}
		if err := r.looks(ctx, s, &m, &looks); err != nil {
			return err
		}
		next = m.Hi + 1
	}
	for c, err := range catalog.Unlisted(ctx, r.from, s.Stream, next) {
		if err == nil {
			err = r.unlisted(ctx, s, c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unlisted puts a chunk back that no manifest lists. Where the copy has no metadata of it, they are made from its content;
// one without a line tells nothing: it is left to the function, with those behind it.
func (r *restorer) unlisted(ctx context.Context, s *Stream, c archive.ChunkEntry) error {
	if c.Writer == "" {
		if c.Lines() == 0 {
			return s.stop(c.Key, "has no line, no metadata, and no manifest lists it: nothing tells what it is, and the function archives anew from there")
		}
		c.Run, c.RequestID, c.Writer = writer, writer, writer
	}
	return r.chunk(ctx, s, &c)
}

// small puts a genesis or a manifest back.
func (r *restorer) small(ctx context.Context, s *Stream, key string) error {
	body, _, err := r.from.Get(ctx, key)
	if err != nil {
		return err
	}
	return r.object(ctx, s, putback.JSON(key, body), func() ([]byte, error) { return body, nil })
}

// chunk puts a chunk back. It is read only if it is not there.
func (r *restorer) chunk(ctx context.Context, s *Stream, c *archive.ChunkEntry) error {
	place, err := putback.Chunk(c)
	if err == nil {
		err = r.object(ctx, s, place, func() ([]byte, error) {
			body, _, err := r.from.Get(ctx, c.Key)
			return body, err
		})
	}
	if err == nil {
		s.To = c.Hi
	}
	return err
}

func (r *restorer) object(ctx context.Context, s *Stream, p putback.Place, read func() ([]byte, error)) error {
	return r.place(ctx, s, p, func() (*objstore.File, error) {
		body, err := read()
		return objstore.Write{Body: body}.Source(), err
	})
}

// place puts an object where it belongs, unless it is there. It may be called side by side.
func (r *restorer) place(ctx context.Context, s *Stream, p putback.Place, read func() (*objstore.File, error)) error {
	found, err := p.Look(ctx, r.to)
	wrote := false
	if err == nil && found == putback.Nothing {
		var file *objstore.File
		if file, err = read(); err == nil {
			wrote, found, err = p.PutFile(ctx, r.to, file)
		}
	}
	if err != nil {
		return err
	}
	r.done.Add(1)
	if found != putback.Same {
		return s.stop(p.Key, inTheWay(found))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if wrote {
		s.Written++
	} else {
		s.There++
	}
	return nil
}

// stop tells why nothing is put behind an object.
func (s *Stream) stop(key, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Findings = append(s.Findings, Finding{key, text})
	return errInTheWay
}

// inTheWay says what must happen before an object can be put where another is.
func inTheWay(found putback.Found) string {
	if found == putback.Bare {
		return "is there with the same bytes, but without the metadata that the function needs; nothing is overwritten: whoever may, removes it, and restore puts it back with them"
	}
	return "is there with other bytes than the copy's; nothing was overwritten, and nothing is put behind it. Where the copy is right, whoever may removes it, and restore goes on"
}
