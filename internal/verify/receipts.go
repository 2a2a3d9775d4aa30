package verify

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
)

// receipts walks the trail of files beside the chunks that manifests list, one receipt in memory at a time. Which receipts
// must exist follows from the manifests: they cover each chunk with links from its first seq to its last, and no other.
type receipts struct {
	v    *verifier
	list bool     // an object was seen below the stream's prefix
	keys *listing // nil as long as nothing tells that the stream has receipts

	previous string // what the next one's previous must be; empty if that is not known
	last     archive.Pin
	hi       chat.Seq // of the last one
	end      chat.Seq // the first seq that has no receipt and needs one; 0 as long as none is missing

	pin   archive.Pin          // the last one that a manifest names
	after *archive.ReceiptMeta // that the state's media.after names; nil if it was not met
}

// open begins the listing, once. Streams without links cost no request.
func (r *receipts) open(ctx context.Context) {
	if r.keys == nil {
		r.keys = newListing(r.v.store.List(ctx, layout.MediaPrefix(r.v.stream), ""))
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
	if e.Links == 0 || r.end != 0 {
		return nil
	}
	r.open(ctx)
	r.v.report.files()
	truth := linksOf(r.v.stream, e, body)
	defer truth.stop()
	counted, whole := int64(0), true
	for lo := e.Lo; lo <= e.Hi; {
		m, found, err := r.receipt(ctx, e, lo, truth, read)
		switch {
		case err != nil:
			return err
		case !found && r.end != 0:
			return nil
		case m != nil:
			counted += m.Sum()
			lo = m.Hi + 1
			continue
		}
		// Nothing says where this receipt ends; the listing may know where another begins.
		whole, r.previous = false, ""
		if lo, err = r.resume(lo); err != nil {
			return err
		}
		if lo == 0 {
			break
		}
		truth.skip(lo - 1)
	}
	if whole && counted != e.Links {
		r.v.add(KindCounts, layout.Media(r.v.stream, e.Lo), "the receipts of [%d, %d] count %d links, the manifest lists %d", e.Lo, e.Hi, counted, e.Links)
	}
	return nil
}

// receipt verifies the receipt that begins at lo. It has none to return if that is missing or not usable.
func (r *receipts) receipt(ctx context.Context, e *archive.ChunkEntry, lo chat.Seq, truth *linkSource, read bool) (*archive.ReceiptMeta, bool, error) {
	v, key := r.v, layout.Media(r.v.stream, lo)
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
	f := v.report.files()
	if read && c.read {
		f.Read++
		if err := r.checkLines(ctx, c, m, truth); err != nil {
			return nil, true, err
		}
	}
	if m.Hi > e.Hi {
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
	f := r.v.report.files()
	f.Receipts++
	f.Last = archive.Link{Key: key, SHA256: m.SHA256}
	for state, n := range m.Counts {
		if n > 0 {
			f.Links[state] += n
		}
	}
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
	m, err := archive.Media().ParseMetadata(c.obj.Metadata)
	switch {
	case errors.Is(err, archive.ErrNoMetadata):
		v.report.files().Copied++
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
	m, err = archive.ReadMediaReceipt(bytes.NewReader(c.body), nil)
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

// checkLines compares a receipt's bytes with what describes it, its lines with the links of its chunk, and the files with
// what the lines say of them.
func (r *receipts) checkLines(ctx context.Context, c chunkObject, m *archive.ReceiptMeta, truth *linkSource) error {
	v := r.v
	told := v.told()
	v.checkSums(c, m.SHA256)
	if v.told() > told {
		truth.skip(m.Hi) // what other bytes say proves nothing
		return nil
	}
	l := &receiptLines{v: v, key: c.key, truth: truth}
	own, err := archive.ReadMediaReceipt(bytes.NewReader(c.body), func(line archive.MediaLine) error { return l.visit(ctx, line) })
	if l.failed == nil {
		l.flush(ctx)
	}
	if l.failed != nil {
		return l.failed
	}
	if err != nil {
		v.addOnce(kindOf(err, KindReceipt), c.key, "%v", err)
		truth.skip(m.Hi)
		return nil
	}
	if others := differing(archive.Media().Metadata(own), archive.Media().Metadata(*m)); len(others) > 0 {
		v.add(KindReceipt, c.key, "its first line says otherwise than its metadata: %s", strings.Join(others, ", "))
	}
	l.end(m)
	return nil
}
