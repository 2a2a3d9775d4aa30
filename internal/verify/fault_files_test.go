package verify_test

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/verify"
)

// fileFault is done to the archive with files.
type fileFault struct {
	plant func(b *builder)
	seen  []verify.Kind // all kinds that are found by the metadata alone
	deep  []verify.Kind // and those that only reading finds
	bytes []verify.Kind // and those that only reading the files finds
}

func TestFault_OfFilesIsFound(t *testing.T) {
	t.Parallel()
	at := func(lo chat.Seq) string { return layout.Media(group(), lo) }
	faults := map[string]fileFault{
		"first receipt is missing":                 {plant: func(b *builder) { b.remove(at(1)) }, seen: found(verify.KindMissingReceipt)},
		"receipt that a manifest names is missing": {plant: func(b *builder) { b.remove(at(11)) }, seen: found(verify.KindMissingReceipt)},
		"last receipt is missing": {
			plant: func(b *builder) { b.remove(at(41)) }, seen: found(verify.KindMissingReceipt, verify.KindStateAhead),
		},
		"all receipts are missing": {
			plant: func(b *builder) { b.remove(at(1)); b.remove(at(11)); b.remove(at(41)) },
			seen:  found(verify.KindMissingReceipt, verify.KindStateAhead),
		},
		"last receipt, which no manifest names, is missing": {
			plant: func(b *builder) {
				b.Account(61, 80, linked(b.t, 61, 80)...)
				b.State(nil)
				b.remove(at(61))
			},
			seen: found(verify.KindStateAhead),
		},
		"receipts are swapped": {
			plant: func(b *builder) { b.swap(at(1), at(11)) }, seen: found(verify.KindMetadata, verify.KindReceiptChain),
		},
		"bytes of receipts are swapped": {
			plant: func(b *builder) {
				x, y := b.store.objects[at(1)], b.store.objects[at(11)]
				b.store.put(at(1), y.body, x.obj.Metadata)
				b.store.put(at(11), x.body, y.obj.Metadata)
			},
			deep: found(verify.KindHash),
		},
		"receipt of another stream": {
			plant: func(b *builder) {
				other := newMemStore()
				filed(b.t, other, topic())
				b.store.objects[at(1)] = other.objects[layout.Media(topic(), 1)]
			},
			seen: found(verify.KindReceiptChain),
		},
		"another previous": {
			plant: func(b *builder) {
				b.again(11, func(m *archive.ReceiptMeta, _ []archive.MediaLine) { m.Previous = archivetest.Hash(nil) })
			},
			seen: found(verify.KindReceiptChain),
		},
		"changed line, metadata corrected": {
			plant: func(b *builder) {
				b.again(1, func(_ *archive.ReceiptMeta, l []archive.MediaLine) { l[0].URL = url("another") })
			},
			seen: found(verify.KindReceiptChain), deep: found(verify.KindLinks),
		},
		"changed line of the last receipt, metadata corrected": {
			plant: func(b *builder) {
				b.again(41, func(_ *archive.ReceiptMeta, l []archive.MediaLine) { l[0].Path = "7" })
			},
			seen: found(verify.KindReceiptChain, verify.KindState), deep: found(verify.KindLinks),
		},
		"changed line": {
			plant: func(b *builder) {
				was := b.store.objects[at(41)].obj.Metadata
				b.again(41, func(_ *archive.ReceiptMeta, l []archive.MediaLine) { l[2].Kind = chat.LinkVideo })
				b.store.put(at(41), b.store.objects[at(41)].body, was)
			},
			deep: found(verify.KindHash),
		},
		"byte of a receipt is another": {
			plant: func(b *builder) {
				b.edit(at(11), func(body []byte) []byte { body[len(body)/2] ^= 1; return body })
			},
			deep: found(verify.KindCRC, verify.KindHash),
		},
		"other counts in the metadata": {
			plant: func(b *builder) {
				b.setReceipt(41, "links", "21")
				b.setReceipt(41, "stored", "19")
			},
			seen: found(verify.KindCounts), deep: found(verify.KindReceipt),
		},
		"other run in the metadata":       {plant: func(b *builder) { b.setReceipt(41, "run", "x") }, deep: found(verify.KindReceipt)},
		"metadata that do not add up":     {plant: func(b *builder) { b.setReceipt(41, "links", "5") }, seen: found(verify.KindMetadata)},
		"receipt of another format":       {plant: func(b *builder) { b.setReceipt(1, "format", "2") }, seen: found(verify.KindFormat)},
		"receipt that is none, of a copy": {plant: func(b *builder) { b.store.put(at(1), []byte("x"), nil) }, seen: found(verify.KindReceipt)},
		"receipt of a copy, another's name": {
			plant: func(b *builder) { b.store.put(at(1), b.store.objects[at(11)].body, nil) }, seen: found(verify.KindReceipt),
		},
		"receipt of a chunk without links": {plant: func(b *builder) { b.stray(21, 40) }, seen: found(verify.KindForeign)},
		"receipt within another":           {plant: func(b *builder) { b.stray(5, 8) }, seen: found(verify.KindOverlap)},
		"receipt before what needs one":    {plant: func(b *builder) { b.stray(70, 80) }, seen: found(verify.KindMissingReceipt), deep: found(verify.KindLinks)},
		"receipt of a chunk that no manifest lists": {
			plant: func(b *builder) { b.stray(81, 90) }, seen: found(verify.KindForeign, verify.KindMissingReceipt),
		},
		"foreign object": {
			plant: func(b *builder) { b.store.put(layout.MediaPrefix(group())+"0000000001.ndjson", nil, nil) }, seen: found(verify.KindForeign),
		},
		"state is ahead":                 {plant: func(b *builder) { b.hint(func(h *archive.TrailHint) { h.Frontier = 62 }) }, seen: found(verify.KindStateAhead)},
		"state is beyond what is listed": {plant: func(b *builder) { b.hint(func(h *archive.TrailHint) { h.Frontier, h.After = 200, nil }) }, seen: found(verify.KindStateAhead)},
		"state names no receipt": {plant: func(b *builder) {
			b.hint(func(h *archive.TrailHint) { h.After = &archive.Pin{Lo: 42, SHA256: h.After.SHA256} })
		}, seen: found(verify.KindState)},
		"state names another receipt": {plant: func(b *builder) {
			b.hint(func(h *archive.TrailHint) { h.After = &archive.Pin{Lo: 11, SHA256: h.After.SHA256} })
		}, seen: found(verify.KindState)},
		"state contradicts its receipt":     {plant: func(b *builder) { b.hint(func(h *archive.TrailHint) { h.Frontier = 60 }) }, seen: found(verify.KindState)},
		"manifest names no receipt":         {plant: func(b *builder) { b.naming(archive.Pin{Lo: 61, SHA256: b.Media.SHA256}) }, seen: found(verify.KindMissingReceipt)},
		"manifest names one behind the end": {plant: func(b *builder) { b.naming(archive.Pin{Lo: 75, SHA256: b.Media.SHA256}) }, seen: found(verify.KindMissingReceipt)},
		"manifest names another receipt":    {plant: func(b *builder) { b.naming(archive.Pin{Lo: 11, SHA256: b.Media.SHA256}) }, seen: found(verify.KindReceiptChain)},
		"file is missing":                   {plant: func(b *builder) { b.remove(blobKey(12)) }, deep: found(verify.KindMissingBlob)},
		"file has another size": {
			plant: func(b *builder) { b.store.put(blobKey(12), []byte("x"), nil) }, deep: found(verify.KindBlob), bytes: found(verify.KindHash),
		},
		"file has other bytes": {
			plant: func(b *builder) { b.store.put(blobKey(12), archivetest.Content(url(13)), nil) }, bytes: found(verify.KindHash),
		},
		"file is damaged": {
			plant: func(b *builder) { b.edit(blobKey(12), func(body []byte) []byte { body[0] ^= 1; return body }) }, bytes: found(verify.KindCRC),
		},
		"receipt says another size": {
			plant: func(b *builder) {
				b.again(41, func(_ *archive.ReceiptMeta, l []archive.MediaLine) { l[3].Bytes++ })
				b.State(nil)
			},
			seen: found(verify.KindReceiptChain), deep: found(verify.KindBlob),
		},
	}
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newMemStore()
			f.plant(filed(t, store, group()))
			f.check(t, store)
		})
	}
}

// A receipt that leaves out a link, or says less than the manifest, is found although all else fits.
func TestFault_ReceiptsThatAccountForLessAreFound(t *testing.T) {
	t.Parallel()
	for name, drop := range map[string]func(l []archive.MediaLine) []archive.MediaLine{
		"the last link of a message": func(l []archive.MediaLine) []archive.MediaLine { return l[:len(l)-1] },
		"a message":                  func(l []archive.MediaLine) []archive.MediaLine { return l[2:] },
		"a message in the middle":    func(l []archive.MediaLine) []archive.MediaLine { return slices.Delete(l, 2, 4) },
	} {
		store := newMemStore()
		b := build(t, store, group(), 1)
		b.linkedTo(20)
		b.Manifest(archive.StatusComplete)
		b.Account(1, 20, linked(t, 1, 20)...)
		lines := b.lines(1)
		b.Media = nil
		b.Receipt(1, 20, drop(lines)...)
		b.State(nil)
		for level, want := range map[verify.Level][]verify.Kind{
			verify.LevelChain: {verify.KindCounts}, verify.LevelFull: {verify.KindCounts, verify.KindLinks},
		} {
			report := verified(t, store, verify.Options{Level: level})
			if diff := cmp.Diff(want, kinds(report.Findings)); diff != "" {
				t.Errorf("%s, level %d: %v", name, level, report.Findings)
			}
		}
	}
}

func TestFault_ReceiptThatReachesBeyondItsChunkIsFound(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	b := build(t, store, group(), 1)
	b.linkedTo(20)
	b.linkedTo(40)
	b.Manifest(archive.StatusComplete)
	b.Account(1, 40, linked(t, 1, 40)...)
	b.State(func(s *archive.State) { s.Media = nil })
	report := verified(t, store, verify.Options{Level: verify.LevelChain})
	if diff := cmp.Diff([]verify.Kind{verify.KindOverlap}, kinds(report.Findings)); diff != "" {
		t.Errorf("findings %v", report.Findings)
	}
}

func found(kinds ...verify.Kind) []verify.Kind { return kinds }

func (b *builder) swap(x, y string) {
	b.store.objects[x], b.store.objects[y] = b.store.objects[y], b.store.objects[x]
}

// lines reads a receipt's lines.
func (b *builder) lines(lo chat.Seq) (lines []archive.MediaLine) {
	b.t.Helper()
	body := b.store.objects[layout.Media(b.Stream, lo)].body
	if _, err := archive.ReadMediaReceipt(bytes.NewReader(body), func(l archive.MediaLine) error { lines = append(lines, l); return nil }); err != nil {
		b.t.Fatal(err)
	}
	return lines
}

// again writes a receipt again, changed, with metadata that fit.
func (b *builder) again(lo chat.Seq, change func(*archive.ReceiptMeta, []archive.MediaLine)) {
	b.t.Helper()
	key := layout.Media(b.Stream, lo)
	m, err := archive.Media().ParseMetadata(b.store.objects[key].obj.Metadata)
	if err != nil {
		b.t.Fatal(err)
	}
	lines := b.lines(lo)
	change(&m, lines)
	r, err := archive.NewMediaReceipt(m, lines)
	b.PutReceipt(r, err)
}

func (b *builder) setReceipt(lo chat.Seq, name, value string) {
	key := layout.Media(b.Stream, lo)
	o := b.store.objects[key]
	o.obj.Metadata = maps.Clone(o.obj.Metadata)
	o.obj.Metadata[name] = value
	b.store.objects[key] = o
}

// stray puts a receipt where none belongs.
func (b *builder) stray(lo, hi chat.Seq) {
	b.t.Helper()
	was := *b.Media
	b.Receipt(lo, hi, archive.MediaLine{Link: chat.Link{Seq: lo, Kind: chat.LinkFile}, State: archive.MediaNoURL, Code: "no_url"})
	b.Media = &was
}

func (b *builder) hint(change func(*archive.TrailHint)) {
	b.State(func(s *archive.State) { change(s.Media) })
}

// naming writes another manifest, which names a receipt.
func (b *builder) naming(pin archive.Pin) {
	was := *b.Media
	b.Media = &pin
	b.chunkTo(95)
	b.Manifest(archive.StatusComplete)
	b.Media = &was
	b.State(nil)
}
