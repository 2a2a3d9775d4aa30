package verify_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/verify"
)

func TestFault_OfLooksIsFound(t *testing.T) {
	t.Parallel()
	at := func(lo chat.Seq) string { return layout.Change(group(), lo) }
	type lines = []archive.ChangeLine
	faults := map[string]fileFault{
		"first receipt is missing":                 {plant: func(b *builder) { b.remove(at(1)) }, seen: found(verify.KindMissingReceipt)},
		"receipt that a manifest names is missing": {plant: func(b *builder) { b.remove(at(61)) }, seen: found(verify.KindMissingReceipt, verify.KindStateAhead)},
		"receipt in the middle is missing":         {plant: func(b *builder) { b.remove(at(21)) }, seen: found(verify.KindMissingReceipt)},
		"all receipts are missing": {
			plant: func(b *builder) { b.remove(at(1)); b.remove(at(11)); b.remove(at(21)); b.remove(at(61)) },
			seen:  found(verify.KindMissingReceipt, verify.KindStateAhead),
		},
		"last receipt, which no manifest names, is missing": {
			plant: func(b *builder) {
				b.Look(101, 120)
				b.State(nil)
				b.remove(at(101))
			},
			seen: found(verify.KindStateAhead),
		},
		"receipt of what has expired is missing before another": {
			plant: func(b *builder) {
				b.Look(101, 120)
				b.State(nil)
				b.remove(at(61))
			},
			seen: found(verify.KindMissingReceipt),
		},
		"receipts are swapped": {plant: func(b *builder) { b.swap(at(1), at(11)) }, seen: found(verify.KindMetadata, verify.KindReceiptChain)},
		"receipt of another stream": {
			plant: func(b *builder) {
				other := newMemStore()
				looked(b.t, other, topic())
				b.store.objects[at(1)] = other.objects[layout.Change(topic(), 1)]
			},
			seen: found(verify.KindReceiptChain), deep: found(verify.KindLook),
		},
		"another previous": {
			plant: func(b *builder) {
				b.lookAgain(11, func(m *archive.ReceiptMeta, _ lines) { m.Previous = archivetest.Hash(nil) })
			},
			seen: found(verify.KindReceiptChain),
		},
		"byte of a receipt is another": {
			plant: func(b *builder) { b.edit(at(11), func(body []byte) []byte { body[len(body)/2] ^= 1; return body }) },
			deep:  found(verify.KindCRC, verify.KindHash),
		},
		"was of another line": {
			plant: func(b *builder) {
				b.lookAgain(11, func(_ *archive.ReceiptMeta, l lines) { l[1].Was = l[0].Was })
			},
			seen: found(verify.KindReceiptChain), deep: found(verify.KindLook),
		},
		"was of an absent seq": {
			plant: func(b *builder) {
				b.lookAgain(21, func(_ *archive.ReceiptMeta, l lines) { l[0].Was = archivetest.Hash(nil) })
			},
			seen: found(verify.KindReceiptChain), deep: found(verify.KindLook),
		},
		"found, and it had been there": {
			plant: func(b *builder) { b.lookOnce(b.withFiles(b.Difference(2, archive.ChangeFound, nil, now(b.t, 2)))) }, deep: found(verify.KindLook),
		},
		"edited, and it is the same": {
			plant: func(b *builder) {
				b.lookOnce(b.Difference(2, archive.ChangeEdited, archived(b.t, 2), archived(b.t, 2)))
			}, deep: found(verify.KindLook),
		},
		"edited, and it was recalled": {
			plant: func(b *builder) {
				b.lookOnce(b.Difference(2, archive.ChangeEdited, archived(b.t, 2), placed(b.t, 2, chat.PlaceRecalled)))
			},
			deep: found(verify.KindLook),
		},
		"recalled, and it is there": {
			plant: func(b *builder) { b.lookOnce(b.Difference(2, archive.ChangeRecalled, archived(b.t, 2), now(b.t, 2))) }, deep: found(verify.KindLook),
		},
		"deleted, and it was never there": {
			plant: func(b *builder) {
				b.lookOnce(b.Difference(3, archive.ChangeDeleted, archived(b.t, 3), placed(b.t, 3, chat.PlaceHole)))
			},
			deep: found(verify.KindLook),
		},
		"missing, and it was a placeholder": {
			plant: func(b *builder) { b.lookOnce(b.Difference(3, archive.ChangeMissing, archived(b.t, 3), nil)) }, deep: found(verify.KindLook),
		},
		"link that what came does not have": {
			plant: func(b *builder) {
				b.lookOnce(b.sameText(archive.ChangeLine{Media: []archive.MediaLine{{Link: chat.Link{Seq: 2, Kind: chat.LinkFile}, State: archive.MediaNoURL, Code: "no_url"}}}))
			},
			deep: found(verify.KindLinks),
		},
		"another link": {
			plant: func(b *builder) {
				line := b.edited(2)
				line.Media[0].URL = url("another")
				b.lookOnce(line)
			},
			deep: found(verify.KindLinks),
		},
		"counts that are more than the range": {
			plant: func(b *builder) { b.setLook(21, "same", "25") }, seen: found(verify.KindMetadata),
		},
		"other counts in the metadata": {
			plant: func(b *builder) { b.setLook(21, "same", "23"); b.setLook(21, "unread", "1") }, deep: found(verify.KindReceipt),
		},
		"other times in the metadata":     {plant: func(b *builder) { b.setLook(21, "to", "1900000000") }, deep: found(verify.KindReceipt)},
		"receipt of another format":       {plant: func(b *builder) { b.setLook(1, "format", "2") }, seen: found(verify.KindFormat)},
		"receipt that is none, of a copy": {plant: func(b *builder) { b.store.put(at(1), []byte("x"), nil) }, seen: found(verify.KindReceipt)},
		"receipt of a copy, another's name": {
			plant: func(b *builder) { b.store.put(at(1), b.store.objects[at(11)].body, nil) }, seen: found(verify.KindReceipt),
		},
		"receipt of what had expired": {plant: func(b *builder) { b.strayLook(46, 60) }, seen: found(verify.KindForeign)},
		"receipt within another":      {plant: func(b *builder) { b.strayLook(5, 8) }, seen: found(verify.KindOverlap)},
		"receipt within one of many chunks": {
			plant: func(b *builder) { b.strayLook(81, 100) }, seen: found(verify.KindOverlap),
		},
		"receipt behind a hole": {plant: func(b *builder) { b.strayLook(110, 120) }, seen: found(verify.KindMissingReceipt)},
		"receipt of a chunk that no manifest lists": {
			plant: func(b *builder) { b.strayLook(121, 129) }, seen: found(verify.KindForeign, verify.KindMissingReceipt),
		},
		"receipt that goes on beyond its chunk": {
			plant: func(b *builder) {
				b.remove(at(61))
				b.Change = &archive.Pin{Lo: 21, SHA256: archivetest.Hash(b.store.objects[at(21)].body)}
				b.Look(61, 100)
				b.State(func(s *archive.State) { s.Look = nil })
			},
			seen: found(verify.KindOverlap, verify.KindReceiptChain),
		},
		"what has expired ends within a chunk":        {plant: func(b *builder) { b.expiredTo(95) }, seen: found(verify.KindOverlap, verify.KindReceiptChain)},
		"what has expired ends behind what is listed": {plant: func(b *builder) { b.expiredTo(125) }, seen: found(verify.KindOverlap, verify.KindReceiptChain)},
		"foreign object": {
			plant: func(b *builder) { b.store.put(layout.ChangePrefix(group())+"0000000001.ndjson", nil, nil) }, seen: found(verify.KindForeign),
		},
		"state is ahead": {plant: func(b *builder) { b.lookHint(func(h *archive.TrailHint) { h.Frontier = 102 }) }, seen: found(verify.KindStateAhead)},
		"state names no receipt": {plant: func(b *builder) {
			b.lookHint(func(h *archive.TrailHint) { h.After = &archive.Pin{Lo: 62, SHA256: h.After.SHA256} })
		}, seen: found(verify.KindState)},
		"state names another receipt": {plant: func(b *builder) {
			b.lookHint(func(h *archive.TrailHint) { h.After = &archive.Pin{Lo: 11, SHA256: h.After.SHA256} })
		}, seen: found(verify.KindState)},
		"state contradicts its receipt":  {plant: func(b *builder) { b.lookHint(func(h *archive.TrailHint) { h.Frontier = 100 }) }, seen: found(verify.KindState)},
		"manifest names no receipt":      {plant: func(b *builder) { b.namingLook(archive.Pin{Lo: 101, SHA256: b.Change.SHA256}) }, seen: found(verify.KindMissingReceipt)},
		"manifest names another receipt": {plant: func(b *builder) { b.namingLook(archive.Pin{Lo: 11, SHA256: b.Change.SHA256}) }, seen: found(verify.KindReceiptChain)},
		"file is missing":                {plant: func(b *builder) { b.remove(blobKey(30)) }, deep: found(verify.KindMissingBlob)},
		"file has another size": {
			plant: func(b *builder) { b.store.put(blobKey(30), []byte("x"), nil) }, deep: found(verify.KindBlob), bytes: found(verify.KindHash),
		},
		"file has other bytes": {
			plant: func(b *builder) { b.store.put(blobKey(30), archivetest.Content(url(31)), nil) }, bytes: found(verify.KindHash),
		},
	}
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newMemStore()
			f.plant(looked(t, store, group()))
			f.check(t, store)
		})
	}
}

// check verifies at each level.
func (f *fileFault) check(t *testing.T, store *memStore) {
	t.Helper()
	for _, tt := range []struct {
		opts verify.Options
		want []verify.Kind
	}{
		{verify.Options{Level: verify.LevelChain}, f.seen},
		{verify.Options{}, slices.Concat(f.seen, f.deep)},
		{verify.Options{Files: true}, slices.Concat(f.seen, f.deep, f.bytes)},
	} {
		if len(f.bytes) > 0 && tt.opts.Files { // it is told instead of the size
			tt.want = slices.Concat(f.seen, f.bytes)
		}
		slices.Sort(tt.want)
		report := verified(t, store, tt.opts)
		if diff := cmp.Diff(tt.want, kinds(report.Findings)); diff != "" {
			t.Errorf("level %d, files %t (-want +got):\n%s\n%v", tt.opts.Level, tt.opts.Files, diff, report.Findings)
		}
		for _, f := range report.Findings {
			if strings.Contains(f.Text, "secret") || strings.Contains(f.Text, "https:") {
				t.Errorf("a finding quotes a message: %s", f)
			}
		}
	}
}

// lookAgain writes the receipt of a look again, changed, with metadata that fit.
func (b *builder) lookAgain(lo chat.Seq, change func(*archive.ReceiptMeta, []archive.ChangeLine)) {
	b.t.Helper()
	body := b.store.objects[layout.Change(b.Stream, lo)].body
	var lines []archive.ChangeLine
	m, err := archive.ReadChangeReceipt(bytes.NewReader(body), func(l archive.ChangeLine) error {
		l.Now = slices.Clone(l.Now)
		lines = append(lines, l)
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	change(&m, lines)
	var w archive.ChangeWriter
	for _, l := range lines {
		if err := w.Add(l); err != nil {
			b.t.Fatal(err)
		}
	}
	w.Count(archive.ChangeSame, m.Counts[archive.ChangeSame])
	r, err := w.Receipt(m)
	b.PutLook(r, err)
}

// lookOnce makes the archive one whose only receipt has one line.
func (b *builder) lookOnce(line archive.ChangeLine) {
	b.t.Helper()
	clear(b.store.objects)
	fresh := build(b.t, b.store, b.Stream, 1)
	fresh.chunkTo(19)
	fresh.Manifest(archive.StatusComplete)
	fresh.Blob(archivetest.Content(url(2)))
	fresh.Look(1, 19, line)
	fresh.State(nil)
}

// sameText is an edit of seq 2 to a text without a link.
func (b *builder) sameText(with archive.ChangeLine) archive.ChangeLine {
	e := archivetest.Elements(b.t, strings.Replace(string(archived(b.t, 2).JSON), "m 2", "secret", 1))[0]
	line := b.Difference(2, archive.ChangeEdited, archived(b.t, 2), &e)
	line.Media = with.Media
	return line
}

// expiredTo writes the receipt of what has expired again, with another end.
func (b *builder) expiredTo(hi chat.Seq) {
	b.t.Helper()
	b.Counted(61, hi, archive.ChangeExpired)
	b.State(func(s *archive.State) { s.Look = nil })
}

func (b *builder) setLook(lo chat.Seq, name, value string) {
	key := layout.Change(b.Stream, lo)
	o := b.store.objects[key]
	o.obj.Metadata = maps.Clone(o.obj.Metadata)
	o.obj.Metadata[name] = value
	b.store.objects[key] = o
}

// strayLook puts a receipt where none belongs.
func (b *builder) strayLook(lo, hi chat.Seq) {
	b.t.Helper()
	was := *b.Change
	b.Look(lo, hi)
	b.Change = &was
}

func (b *builder) lookHint(change func(*archive.TrailHint)) {
	b.State(func(s *archive.State) { change(s.Look) })
}

// namingLook writes another manifest, which names a receipt.
func (b *builder) namingLook(pin archive.Pin) {
	was := *b.Change
	b.Change = &pin
	b.Manifest(archive.StatusComplete)
	b.Change = &was
	b.State(nil)
}
