package verify_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/verify"
)

// looked builds an archive with a trail of looks. Its chunks are at 1 and 21 (in the first manifest), 46, which has expired, 61
// and 81 (in the second), 101 (in the third) and 121 (in none). The looks begin at 1, 11 and 21, which they find changed, and
// at 61: that one found nothing but what has expired, up to 100. The trail has not come to 101 yet.
func looked(t testing.TB, store *memStore, s chat.Stream) *builder {
	t.Helper()
	b := build(t, store, s, 1)
	b.chunkTo(20)
	b.chunkTo(45)
	b.Manifest(archive.StatusPartial)
	b.Look(1, 10, b.edited(2), b.recalled(4))
	b.Look(11, 20, b.deleted(12), b.missing(14))
	b.Expired(60)
	b.chunkTo(80)
	b.chunkTo(100)
	b.Manifest(archive.StatusComplete)
	b.Look(21, 45, b.found(30))
	b.Counted(61, 100, archive.ChangeExpired)
	b.chunkTo(120)
	b.Manifest(archive.StatusComplete)
	b.chunkTo(129)
	b.State(nil)
	return b
}

// archived is the element of a seq as it is archived.
func archived(t testing.TB, seq chat.Seq) *chat.Element {
	t.Helper()
	raw, ok := message(seq)
	if !ok {
		t.Fatalf("seq %d is absent", seq)
	}
	return &archivetest.Elements(t, raw)[0]
}

// now is an element of a seq whose message has another text, and a picture.
func now(t testing.TB, seq chat.Seq) *chat.Element {
	t.Helper()
	raw := fmt.Sprintf(`{"From_Account":"u%d","IsPlaceMsg":0,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"secret"}},`+
		`{"MsgType":"TIMImageElem","MsgContent":{"ImageInfoArray":[{"Type":1,"URL":%q}]}}],"MsgSeq":%d,"MsgTimeStamp":%d}`, seq%4, url(seq), seq, 1700000000+int64(seq))
	return &archivetest.Elements(t, raw)[0]
}

// placed is an element without a message.
func placed(t testing.TB, seq chat.Seq, place int) *chat.Element {
	t.Helper()
	return &archivetest.Elements(t, fmt.Sprintf(`{"IsPlaceMsg":%d,"MsgSeq":%d,"MsgTimeStamp":%d}`, place, seq, 1700000000+int64(seq)))[0]
}

// withFiles adds the links of what came, each of them stored.
func (b *builder) withFiles(line archive.ChangeLine) archive.ChangeLine {
	e := now(b.t, line.Seq)
	for _, link := range chat.Links(e) {
		content := archivetest.Content(link.URL)
		line.Media = append(line.Media, archive.MediaLine{
			Link: link, State: archive.MediaStored, SHA256: b.Blob(content), Bytes: int64(len(content)), Type: "image/png",
		})
	}
	return line
}

func (b *builder) edited(seq chat.Seq) archive.ChangeLine {
	return b.withFiles(b.Difference(seq, archive.ChangeEdited, archived(b.t, seq), now(b.t, seq)))
}

func (b *builder) recalled(seq chat.Seq) archive.ChangeLine {
	return b.Difference(seq, archive.ChangeRecalled, archived(b.t, seq), placed(b.t, seq, chat.PlaceRecalled))
}

func (b *builder) deleted(seq chat.Seq) archive.ChangeLine {
	return b.Difference(seq, archive.ChangeDeleted, archived(b.t, seq), placed(b.t, seq, chat.PlaceHole))
}

func (b *builder) missing(seq chat.Seq) archive.ChangeLine {
	return b.Difference(seq, archive.ChangeMissing, archived(b.t, seq), nil)
}

func (b *builder) found(seq chat.Seq) archive.ChangeLine {
	return b.withFiles(b.Difference(seq, archive.ChangeFound, nil, now(b.t, seq)))
}

func TestLooks_ReportTellsHowFarTheyHaveCome(t *testing.T) {
	t.Parallel()
	bytes := int64(len(archivetest.Content(url(2))) + len(archivetest.Content(url(30))))
	for name, tt := range map[string]struct {
		opts verify.Options
		want verify.Looks
	}{
		"chain": {verify.Options{Level: verify.LevelChain}, verify.Looks{}},
		"read": {verify.Options{}, verify.Looks{
			Trail: verify.Trail{Read: 4}, StoredFiles: verify.StoredFiles{Found: 2, Blobs: 2, Bytes: bytes}, AbsentFound: 1, Stored: 2,
		}},
		"sample": {
			verify.Options{Level: verify.LevelSample, Pick: func(_ chat.Stream, lo chat.Seq) bool { return lo == 21 }},
			verify.Looks{
				Trail: verify.Trail{Read: 1}, StoredFiles: verify.StoredFiles{Found: 1, Blobs: 1, Bytes: int64(len(archivetest.Content(url(30))))}, AbsentFound: 1, Stored: 1,
			},
		},
		"files": {verify.Options{Level: verify.LevelChain, Files: true}, verify.Looks{
			Trail:       verify.Trail{Read: 4},
			StoredFiles: verify.StoredFiles{Found: 2, Hashed: 2, Blobs: 2, Bytes: bytes, BlobsHashed: 2, BytesHashed: bytes}, AbsentFound: 1, Stored: 2,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newMemStore()
			b := looked(t, store, group())
			report := verified(t, store, tt.opts)
			if !report.Sound() || len(report.Warnings) > 0 || report.Whole() != (name == "read") {
				t.Errorf("whole %t, findings %v, warnings %v", report.Whole(), report.Findings, report.Warnings)
			}
			want := tt.want
			want.Receipts, want.To, want.At = 4, 100, archivetest.When().Unix()+62
			want.Last = archive.Link{Key: layout.Change(group(), 61), SHA256: b.Change.SHA256}
			want.Outstanding = 29
			want.Seqs = map[string]int64{
				archive.ChangeSame: 40, archive.ChangeEdited: 1, archive.ChangeRecalled: 1, archive.ChangeDeleted: 1, archive.ChangeMissing: 1,
				archive.ChangeFound: 1, archive.ChangeExpired: 40,
			}
			if report.Looks == nil {
				t.Fatal("nothing is told of looks")
			}
			if diff := cmp.Diff(want, *report.Looks); diff != "" || report.Looks.Changed() != 5 {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, lo := range []chat.Seq{46, 81, 102, 121} {
				if store.reads[layout.Change(group(), lo)] > 0 {
					t.Errorf("a receipt is looked for at %d", lo)
				}
			}
		})
	}
}

// Looks may be switched off, stand still, or wait until a chunk is due.
func TestLooks_TrailThatEndsEarlyIsNoFault(t *testing.T) {
	t.Parallel()
	for _, level := range []verify.Level{verify.LevelFull, verify.LevelChain} {
		store := newMemStore()
		b := build(t, store, group(), 1)
		b.chunkTo(40)
		b.Manifest(archive.StatusComplete)
		b.State(func(s *archive.State) { s.Look = &archive.TrailHint{Frontier: 1, Manifest: 1, Due: archivetest.When()} })
		if report := verified(t, store, verify.Options{Level: level}); !report.Sound() || report.Looks != nil {
			t.Errorf("level %d, before the first: looks %+v, findings %v", level, report.Looks, report.Findings)
		}
		b.Look(1, 15)
		b.State(func(s *archive.State) { s.Look.Code = "denied" })
		report := verified(t, store, verify.Options{Level: level})
		if l := report.Looks; !report.Sound() || l.To != 15 || l.Outstanding != 25 || l.At != archivetest.When().Unix()+2 {
			t.Errorf("level %d, within a chunk: looks %+v, findings %v", level, l, report.Findings)
		}
		b.Counted(16, 40, archive.ChangeExpired)
		b.chunkTo(60)
		b.Expired(70)
		b.Manifest(archive.StatusComplete)
		b.Look(41, 60)
		b.State(func(s *archive.State) { s.Look.Frontier = 71 })
		report = verified(t, store, verify.Options{Level: level})
		if l := report.Looks; !report.Sound() || l.To != 70 || l.Outstanding != 0 {
			t.Errorf("level %d, to the end: looks %+v, findings %v", level, l, report.Findings)
		}
	}
}

// What has expired is told in one receipt, which may begin within a chunk and cover chunks of several manifests, also those that
// had expired before.
func TestLooks_OneReceiptMayTellThatManyChunksHaveExpired(t *testing.T) {
	t.Parallel()
	for _, level := range []verify.Level{verify.LevelFull, verify.LevelChain} {
		store := newMemStore()
		b := build(t, store, group(), 1)
		b.chunkTo(20)
		b.Expired(40)
		b.Manifest(archive.StatusPartial)
		b.chunkTo(60)
		b.Expired(70)
		b.Manifest(archive.StatusComplete)
		b.Look(1, 7)
		b.Counted(8, 70, archive.ChangeExpired)
		b.State(nil)
		report := verified(t, store, verify.Options{Level: level})
		if l := report.Looks; !report.Sound() || l.To != 70 || l.Outstanding != 0 || l.Seqs[archive.ChangeExpired] != 63 {
			t.Errorf("level %d: looks %+v, findings %v", level, l, report.Findings)
		}
	}
}

func TestLooks_CopyIsProvedByFirstLines(t *testing.T) {
	t.Parallel()
	for _, level := range []verify.Level{verify.LevelFull, verify.LevelChain} {
		original, store := newMemStore(), newMemStore()
		looked(t, original, group())
		b := looked(t, store, group())
		for key, o := range store.objects {
			if key != layout.Chunk(group(), b.After) { // which no manifest lists
				store.put(key, o.body, nil)
			}
		}
		want, got := verified(t, original, verify.Options{Level: level}), verified(t, store, verify.Options{Level: level})
		if !got.Sound() || got.Looks.Copied != 4 {
			t.Errorf("level %d: %d receipts without metadata, findings %v", level, got.Looks.Copied, got.Findings)
		}
		got.Looks.Copied = 0
		if diff := cmp.Diff(want.Looks, got.Looks); diff != "" {
			t.Errorf("level %d (-original +copy):\n%s", level, diff)
		}
	}
}

// An export goes on while it is verified.
func TestLooks_TrailThatGrowsMeanwhileIsNoFault(t *testing.T) {
	t.Parallel()
	grow := func(b *builder) {
		b.Counted(101, 120, archive.ChangeExpired)
		b.Manifest(archive.StatusComplete) // which names it
		b.Look(121, 129)
		b.State(nil)
	}
	for name, when := range map[string]string{
		"before the trail is listed":       layout.ChangePrefix(group()),
		"before its end is looked at":      layout.Change(group(), 101),
		"after its end was looked at":      layout.Chunk(group(), 121),
		"before the last manifest is read": layout.Manifest(group(), 121),
		"after it was looked for":          layout.Chunk(group(), 130),
	} {
		store := newMemStore()
		b := looked(t, store, group())
		var done atomic.Bool
		store.onList = func(prefix string) {
			if prefix == when && done.CompareAndSwap(false, true) {
				grow(b)
			}
		}
		store.onRead = func(key string) error {
			if key == when && done.CompareAndSwap(false, true) {
				grow(b)
			}
			return nil
		}
		if report := verified(t, store, verify.Options{}); !report.Sound() || !done.Load() {
			t.Errorf("%s: findings %v", name, report.Findings)
		}
	}
}

func TestLooks_ArchiveFindsWhatIsNoneOfIts(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	looked(t, store, group())
	orphan := chat.Stream{GroupID: "only a receipt"}
	foreign := []string{"change/top.csv", layout.ChangePrefix(group()) + "notes.txt", layout.Change(orphan, 1)}
	for _, key := range append(foreign, "change/.DS_Store") {
		store.put(key, nil, nil)
	}
	var found []string
	summary, err := verify.Archive(t.Context(), store, verify.Options{}, func(r verify.Report) error {
		for _, f := range r.Findings {
			found = append(found, f.Key)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range summary.Findings {
		found = append(found, f.Key)
	}
	slices.Sort(found)
	slices.Sort(foreign)
	if diff := cmp.Diff(foreign, found); diff != "" || len(summary.Warnings) != 1 {
		t.Errorf("warnings %v, findings (-want +got):\n%s", summary.Warnings, diff)
	}
}

func TestLooks_WhatIsSoundAndHardlyTrueIsDoubted(t *testing.T) {
	t.Parallel()
	other := func(b *builder) *chat.Element {
		e := now(b.t, 2)
		return &archivetest.Elements(b.t, strings.Replace(string(e.JSON), `"From_Account":"u2"`, `"From_Account":"x"`, 1))[0]
	}
	for name, look := range map[string]func(b *builder){
		"unread":          func(b *builder) { b.Counted(1, 19, archive.ChangeUnread) },
		"another message": func(b *builder) { b.Look(1, 19, b.Difference(2, archive.ChangeEdited, archived(b.t, 2), other(b))) },
	} {
		store := newMemStore()
		b := build(t, store, group(), 1)
		b.chunkTo(19)
		b.Manifest(archive.StatusComplete)
		look(b)
		report := verified(t, store, verify.Options{})
		if !report.Sound() || len(report.Warnings) != 1 || report.Warnings[0].Kind != verify.KindImplausible {
			t.Errorf("%s: findings %v, warnings %v", name, report.Findings, report.Warnings)
		}
		b.remove(layout.Chunk(group(), 1))
		report = verified(t, store, verify.Options{})
		if diff := cmp.Diff([]verify.Kind{verify.KindMissingChunk}, kinds(report.Findings)); diff != "" || len(report.Warnings) > 0 {
			t.Errorf("%s, of a chunk that is missing: findings %v, warnings %v", name, report.Findings, report.Warnings)
		}
	}
}

func FuzzAnyChangedByteOfLooksIsFound(f *testing.F) {
	for object := range 4 {
		for offset := range uint16(20) {
			f.Add(uint8(object), offset*offset, byte(1<<(offset%8)))
		}
	}
	original := newMemStore()
	looked(f, original, group())
	keys := slices.DeleteFunc(slices.Sorted(maps.Keys(original.objects)), func(key string) bool {
		return !strings.HasPrefix(key, layout.ChangePrefixRoot) && !strings.HasPrefix(key, layout.BlobPrefix)
	})
	f.Fuzz(func(t *testing.T, object uint8, offset uint16, mask byte) {
		store := newMemStore()
		maps.Copy(store.objects, original.objects)
		key := keys[int(object)%len(keys)]
		o := store.objects[key]
		body := slices.Clone(o.body)
		body[int(offset)%len(body)] ^= mask
		store.put(key, body, o.obj.Metadata)
		report := verified(t, store, verify.Options{Files: true})
		if report.Sound() != (mask == 0) {
			t.Errorf("byte %d of %s, mask %#x: findings %v", int(offset)%len(body), key, mask, report.Findings)
		}
	})
}
