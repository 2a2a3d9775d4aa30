package conversation

import (
	"context"
	"slices"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
)

// Receipt is an object of a trail that speaks of a range of seqs.
type Receipt struct {
	Key      string
	Lo, Hi   chat.Seq
	SHA256   string
	From, To int64 // when the range was looked at, in seconds since 1970; 0 of files
}

// Proof is where a message stands in the archive, and what holds it there.
type Proof struct {
	Message *Message
	Row     Row // the message, or the gap in whose range the seq is
	Date    Date

	Line       int    // number of its line in the chunk, from 1; 0 if it has none
	LineSHA256 string // of the line without its end

	Chunk    Chunk  // what it is in, as its manifest lists it
	Manifest string // key; empty if none lists the chunk yet
	After    int    // how many manifests stand behind that one, each of which pins the one before

	Media    []Receipt // of the files of its chunk, up to the one that speaks of it
	Changes  []Receipt // of looks at its chunk
	Failures []string  // receipts that cannot be read
}

// Proof returns the proof of a seq. The error is ErrNoSeq, or the store's.
func (c *Conversation) Proof(ctx context.Context, seq chat.Seq) (*Proof, error) {
	i := c.chunkOf(seq)
	if i < 0 {
		return nil, ErrNoSeq
	}
	u, err := c.load(ctx, i)
	if err != nil {
		return nil, err
	}
	p := &Proof{Chunk: c.Chunks[i], Changes: covering(u.looked, seq)}
	if u.trail != "" {
		p.Failures = append(p.Failures, u.trail)
	}
	if at := slices.Index(c.Manifests, p.Chunk.Manifest); at >= 0 {
		p.Manifest, p.After = p.Chunk.Manifest.Key, len(c.Manifests)-1-at
	}
	for it := range u.items() {
		if it.seq > seq || it.hi < seq {
			continue
		}
		rows, err := c.rowsOf(ctx, i, []place{{it, i}})
		if err != nil {
			return nil, err
		}
		p.Row, p.Message, p.Line = rows[0], rows[0].Message, int(it.line)
	}
	if err := p.raw(ctx, c, u, seq); err != nil {
		return nil, err
	}
	return p, p.media(ctx, c, seq)
}

// raw finds the line of a placeholder, too, which is a gap for people.
func (p *Proof) raw(ctx context.Context, c *Conversation, u *unpacked, seq chat.Seq) error {
	at, there := u.find(seq)
	if !there || u.entries[at].off < 0 {
		return nil
	}
	e := u.entries[at]
	lines, err := u.lines(ctx, c, []entry{e})
	if err != nil {
		return err
	}
	p.Line, p.LineSHA256 = int(e.line), archive.SHA256(lines[seq])
	if p.Message == nil {
		if element, err := chat.ScanElement(lines[seq]); err == nil {
			p.Message = &Message{Seq: seq, Archived: c.content(&element, nil)}
		}
	}
	return nil
}

// media finds the receipt of a message's files, if it has any.
func (p *Proof) media(ctx context.Context, c *Conversation, seq chat.Seq) error {
	if p.Message == nil || p.Message.Archived == nil {
		return nil
	}
	if e, err := chat.ScanElement(p.Message.Archived.Raw); err != nil || len(chat.Links(&e)) == 0 {
		return nil
	}
	var all []Receipt
	for r, err := range catalog.Receipts(ctx, c.reader.store, c.Stream, &p.Chunk.ChunkEntry) {
		if catalog.Damaged(err) {
			p.Failures = append(p.Failures, err.Error())
			break
		}
		if err != nil {
			return err
		}
		all = append(all, Receipt{Key: r.Key, Lo: r.Lo, Hi: r.Hi, SHA256: r.SHA256})
		if r.Hi >= seq {
			break
		}
	}
	p.Media = covering(all, seq)
	return nil
}

func covering(all []Receipt, seq chat.Seq) []Receipt {
	var found []Receipt
	for _, r := range all {
		if r.Lo <= seq && seq <= r.Hi {
			found = append(found, r)
		}
	}
	return found
}

// Files returns the keys of the files of the message, each once.
func (p *Proof) Files() []string {
	var keys []string
	if p.Message == nil {
		return nil
	}
	for _, content := range []*Content{p.Message.Archived, p.now()} {
		if content == nil {
			continue
		}
		for i := range content.Parts {
			content.Parts[i].visit(func(part *Part) {
				for _, f := range []*File{part.File, part.Thumb} {
					if f.Stored() && !slices.Contains(keys, layout.Blob(f.SHA256)) {
						keys = append(keys, layout.Blob(f.SHA256))
					}
				}
			})
		}
	}
	return keys
}

func (p *Proof) now() *Content {
	if p.Message.Change == nil {
		return nil
	}
	return p.Message.Change.Now
}

// Whole reports whether the archive reached the newest message when its newest manifest was written.
func (c *Conversation) Whole() bool {
	return c.Status == archive.StatusComplete || c.Status == archive.StatusGone
}
