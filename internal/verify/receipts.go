package verify

import (
	"context"
	"errors"
	"strings"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
)

// Trail is what was found of the receipts of one trail. That it ends early is no fault: it is behind, or switched off.
type Trail struct {
	Receipts int          `json:"receipts"`
	Read     int          `json:"receipts_read"`
	Copied   int          `json:"without_metadata,omitempty"` // receipts without metadata: their first lines stand for them
	Last     archive.Link `json:"last_receipt"`               // its sha256 pins all receipts before it
	To       chat.Seq     `json:"to"`                         // everything that is listed up to here is accounted for
}

// account is what the receipts of one trail are about.
type account interface {
	// wants returns what the counts of a chunk's receipts must sum up to; 0 if it needs none.
	wants(e *archive.ChunkEntry) int64
	// truth opens a chunk, for the lines of its receipts to be compared with. body is nil if it was not read, or is not what
	// it should be.
	truth(e *archive.ChunkEntry, body []byte) truth
	// read checks that an object is a receipt. Errors are those of archive.Trail.ReadReceipt.
	read(body []byte) (archive.ReceiptMeta, error)
	// count adds to the report what a receipt of the trail counts.
	count(m *archive.ReceiptMeta)
}

// truth is a chunk beside which its receipts are read, one after the other.
type truth interface {
	// compare reads a receipt that m describes, compares its lines, and has their files looked at. The error wraps
	// archive.ErrInvalid or archive.ErrFormat if it is none, and is the store's otherwise.
	compare(ctx context.Context, key string, body []byte, m *archive.ReceiptMeta) (archive.ReceiptMeta, error)
	// skip passes what the chunk has up to a seq.
	skip(hi chat.Seq)
	stop()
}

// receipts walks one trail beside the chunks that manifests list, one receipt in memory at a time. Which receipts must exist
// follows from the manifests: they cover each chunk that needs any from its first seq to its last, and no other. One that
// counts nothing but expired seqs may cover many chunks.
type receipts struct {
	v *verifier
	account

	form   archive.Trail
	hinted string // what the state calls the trail
	noun   string // names what the trail counts
	spans  bool   // one receipt may cover many chunks
	key    func(lo chat.Seq) string
	prefix string
	report func() *Trail     // which a stream without receipts may not have
	tell   func(r *receipts) // completes the report

	list bool     // an object was seen below the prefix
	keys *listing // nil as long as nothing tells that the stream has receipts

	previous string // what the next one's previous must be; empty if that is not known
	last     archive.Pin
	hi       chat.Seq // of the last one
	hole     chat.Seq // lo of the receipt behind those that are missing: nothing tells how many there were
	end      chat.Seq // the first seq that has no receipt and needs one; 0 as long as none is missing
	spared   int64    // seqs that receipts cover although their chunks need none

	pin   archive.Pin          // the last one that a manifest names
	after *archive.ReceiptMeta // that the state's hint names; nil if it was not met
}

// open begins the listing, once. Streams that need no receipt cost no request.
func (r *receipts) open(ctx context.Context) {
	if r.keys == nil {
		r.keys = newListing(r.v.store.List(ctx, r.prefix, ""))
	}
}

func (r *receipts) stop() {
	if r.keys != nil {
		r.keys.stop()
	}
}

// follow verifies the receipts of a chunk that a manifest lists. body is the chunk's object, nil unless it was read and is
// what it should be; read says whether receipts are read, too.
func (r *receipts) follow(ctx context.Context, e *archive.ChunkEntry, body []byte, read bool) error {
	lo := max(e.Lo, r.hi+1)
	if e.Lo < lo && lo <= e.Hi {
		r.v.add(KindOverlap, r.key(r.last.Lo), "covers [%d, %d], which ends within a chunk", r.last.Lo, r.hi)
	}
	wanted := r.wants(e)
	if wanted == 0 && e.Lo < lo {
		r.spared += int64(min(lo, e.Hi+1) - e.Lo)
	}
	if wanted == 0 || r.end != 0 || lo > e.Hi {
		return nil
	}
	r.open(ctx)
	if r.spans && e.Hi < r.hole { // a receipt that is missing may have covered it, too
		return nil
	}
	truth := r.truth(e, body)
	defer truth.stop()
	counted, whole := int64(0), lo == e.Lo
	for lo <= e.Hi {
		m, found, err := r.receipt(ctx, e, lo, truth, read)
		switch {
		case err != nil:
			return err
		case !found && r.end != 0:
			return nil
		case m != nil:
			counted, whole = counted+m.Sum(), whole && m.Hi <= e.Hi
			lo = m.Hi + 1
			continue
		}
		// Nothing says where this receipt ends; the listing may know where another begins.
		whole, r.previous = false, ""
		if lo, err = r.resume(lo); err != nil {
			return err
		}
		if r.hole = lo; lo == 0 {
			r.hole = chat.MaxSeq + 1
			break
		}
		truth.skip(lo - 1)
	}
	if whole && counted != wanted {
		r.v.add(KindCounts, r.key(e.Lo), "the receipts of [%d, %d] count %d %s, the manifest lists %d", e.Lo, e.Hi, counted, r.noun, wanted)
	}
	return nil
}

// receipt verifies the receipt that begins at lo. It has none to return if that is missing or not usable.
func (r *receipts) receipt(ctx context.Context, e *archive.ChunkEntry, lo chat.Seq, truth truth, read bool) (*archive.ReceiptMeta, bool, error) {
	v, key := r.v, r.key(lo)
	if err := r.skim(key); err != nil {
		return nil, false, err
	}
	level := LevelChain
	if read {
		level = LevelFull
	}
	c, found, err := v.fetch(ctx, key, level)
	if err == nil && !found {
		c, found, err = r.missing(ctx, key, lo)
	}
	if err != nil || !found {
		return nil, false, err
	}
	if _, err := r.keys.popIf(key); err != nil {
		return nil, false, err
	}
	v.any = true
	m, err := r.describe(ctx, &c, lo)
	if err != nil || m == nil {
		return nil, true, err
	}
	if read && c.read {
		r.report().Read++
		if err := r.checkLines(ctx, c, m, truth); err != nil {
			return nil, true, err
		}
	}
	if m.Hi > e.Hi && m.Counts[archive.ChangeExpired] != m.Sum() {
		v.add(KindOverlap, key, "covers [%d, %d], but its chunk ends at %d", m.Lo, m.Hi, e.Hi)
		return nil, true, nil
	}
	r.pass(key, m)
	return m, true, nil
}

// pass goes on behind a receipt.
func (r *receipts) pass(key string, m *archive.ReceiptMeta) {
	if r.previous != "" && m.Previous != r.previous {
		r.v.add(KindReceiptChain, key, "previous names another sha256 than the receipt or genesis before it has, %s", r.previous)
	}
	r.previous, r.hi = m.SHA256, m.Hi
	r.last = archive.Pin{Lo: m.Lo, SHA256: m.SHA256}
	if hint := r.hint(); hint != nil && hint.After != nil && hint.After.Lo == m.Lo {
		r.after = m
	}
	t := r.report()
	t.Receipts++
	t.Last = archive.Link{Key: key, SHA256: m.SHA256}
	r.count(m)
}

// missing looks again where something says that there is more: only a GET is proof, and the listing may be younger than the
// first look. If it is missing for certain, the trail ends here, or it has a hole and goes on behind it.
func (r *receipts) missing(ctx context.Context, key string, lo chat.Seq) (chunkObject, bool, error) {
	_, later, err := r.keys.peek()
	if err != nil {
		return chunkObject{}, false, err
	}
	hint := r.hint()
	if later || hint != nil && hint.Frontier > lo {
		c, found, err := r.v.fetch(ctx, key, LevelFull)
		if err != nil || found {
			return c, found, err
		}
	}
	listed, err := r.keys.popIf(key)
	if err != nil {
		return chunkObject{}, false, err
	}
	next, err := r.resume(lo)
	switch {
	case err != nil:
		return chunkObject{}, false, err
	case listed:
		r.v.addOnce(KindMissingReceipt, key, "is listed, but does not exist")
	case next != 0:
		r.v.add(KindMissingReceipt, key, "does not exist, but a later receipt does, at %d", next)
	default:
		r.end = lo
	}
	return chunkObject{}, false, nil
}

// resume returns the first listed receipt's lo that is above lo, 0 if there is none.
func (r *receipts) resume(lo chat.Seq) (chat.Seq, error) {
	for {
		key, ok, err := r.keys.peek()
		if err != nil || !ok {
			return 0, err
		}
		if name, err := layout.Parse(key); err == nil && name.Lo > lo {
			return name.Lo, nil
		}
		r.v.foreign(key)
		r.keys.pop()
	}
}

// skim takes the listed keys before key, all of them if key is empty. None of them is in the trail.
func (r *receipts) skim(key string) error {
	for {
		listed, ok, err := r.keys.peek()
		if err != nil || !ok || key != "" && listed >= key {
			return err
		}
		name, err := layout.Parse(listed)
		switch {
		case err != nil:
			r.v.foreign(listed)
		case name.Lo <= r.hi:
			r.v.add(KindOverlap, listed, "begins within the range of the receipt that ends at %d or before", r.hi)
		default:
			r.v.add(KindForeign, listed, "is not in the trail: no manifest lists a chunk that needs it")
		}
		r.v.any = r.v.any || err == nil
		r.keys.pop()
	}
}

// describe returns what a receipt's metadata say, or its first line if they are missing or not usable; nil if nothing
// trustworthy says what it is.
func (r *receipts) describe(ctx context.Context, c *chunkObject, lo chat.Seq) (*archive.ReceiptMeta, error) {
	v := r.v
	m, err := r.form.ParseMetadata(c.obj.Metadata)
	switch {
	case errors.Is(err, archive.ErrNoMetadata):
		r.report().Copied++
	case errors.Is(err, archive.ErrFormat):
		v.add(KindFormat, c.key, "%v", err)
		return nil, nil
	case err != nil:
		v.add(KindMetadata, c.key, "%v", err)
	case m.Lo != lo:
		v.add(KindMetadata, c.key, "says that it begins at %d", m.Lo)
		return nil, nil
	default:
		return &m, nil
	}
	if !c.read {
		var found bool
		if *c, found, err = v.fetch(ctx, c.key, LevelFull); err != nil || !found || !c.read {
			return nil, err
		}
	}
	m, err = r.read(c.body)
	switch {
	case err != nil:
		v.add(kindOf(err, KindReceipt), c.key, "%v", err)
		return nil, nil
	case m.Lo != lo:
		v.add(KindReceipt, c.key, "its first line says that it begins at %d", m.Lo)
		return nil, nil
	}
	return &m, nil
}

// checkLines compares a receipt's bytes with what describes it, its lines with its chunk, and the files with what the lines
// say of them.
func (r *receipts) checkLines(ctx context.Context, c chunkObject, m *archive.ReceiptMeta, truth truth) error {
	v := r.v
	told := v.told()
	v.checkSums(c, m.SHA256)
	if v.told() > told {
		truth.skip(m.Hi) // what other bytes say proves nothing
		return nil
	}
	own, err := truth.compare(ctx, c.key, c.body, m)
	switch {
	case errors.Is(err, archive.ErrInvalid), errors.Is(err, archive.ErrFormat):
		v.addOnce(kindOf(err, KindReceipt), c.key, "%v", err)
		truth.skip(m.Hi)
		return nil
	case err != nil:
		return err
	}
	if others := differing(r.form.Metadata(own), r.form.Metadata(*m)); len(others) > 0 {
		v.add(KindReceipt, c.key, "its first line says otherwise than its metadata: %s", strings.Join(others, ", "))
	}
	return nil
}
