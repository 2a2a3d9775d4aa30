package verify_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/verify"
)

// filed builds an archive with a trail of files. Of its chunks the one at 21 has no links; 1 and 21 are in the first
// manifest, 41 and 61 in one each, 81 in none. The receipts begin at 1, 11 and 41: the trail has not come to 61 yet.
func filed(t testing.TB, store *memStore, s chat.Stream) *builder {
	t.Helper()
	b := build(t, store, s, 1)
	b.linkedTo(20)
	b.chunkTo(40)
	b.Manifest(archive.StatusPartial)
	b.Account(1, 10, linked(t, 1, 20)...)
	b.Account(11, 20, linked(t, 1, 20)...)
	b.linkedTo(60)
	b.Manifest(archive.StatusComplete)
	b.Account(41, 60, linked(t, 41, 60)...)
	b.linkedTo(80)
	b.Manifest(archive.StatusComplete)
	b.linkedTo(90)
	b.State(nil)
	return b
}

func (b *builder) linkedTo(hi chat.Seq) { b.Chunk(hi, linked(b.t, b.Next, hi)...) }

// linked are messages of which every second has links: a picture of its own, and one that all of them have. Each tenth has
// a file without URL, too.
func linked(t testing.TB, lo, hi chat.Seq) []chat.Element {
	t.Helper()
	const picture = `{"MsgType":"TIMImageElem","MsgContent":{"ImageInfoArray":[{"Type":1,"Size":9,"URL":"https://a.myqcloud.com/%s"}]}}`
	var texts []string
	for seq := lo; seq <= hi; seq++ {
		body := ""
		if seq%2 == 0 {
			body = fmt.Sprintf(picture, fmt.Sprint(seq)) + "," + fmt.Sprintf(picture, "sticker")
		}
		if seq%10 == 0 {
			body += `,{"MsgType":"TIMFileElem","MsgContent":{"FileName":"secret.pdf"}}`
		}
		texts = append(texts, fmt.Sprintf(`{"From_Account":"u","IsPlaceMsg":0,"MsgBody":[%s],"MsgSeq":%d,"MsgTimeStamp":%d}`, body, seq, 1700000000+seq))
	}
	return archivetest.Elements(t, texts...)
}

func url(name any) string { return fmt.Sprintf("https://a.myqcloud.com/%v", name) }

func blobKey(name any) string { return layout.Blob(archivetest.Hash(archivetest.Content(url(name)))) }

func TestFiles_ReportTellsHowFarTheyAreArchived(t *testing.T) {
	t.Parallel()
	last := layout.Media(group(), 41)
	size := int64(len(archivetest.Content(url("10"))))
	bytes := 16*size + 4*(size-1) + int64(len(archivetest.Content(url("sticker")))) // of 20 pictures, 4 with a name of one digit
	for name, tt := range map[string]struct {
		opts verify.Options
		read int
		want verify.StoredFiles
	}{
		"chain": {verify.Options{Level: verify.LevelChain}, 0, verify.StoredFiles{}},
		"read":  {verify.Options{}, 3, verify.StoredFiles{Found: 40, Blobs: 21, Bytes: bytes}},
		"sample": {
			verify.Options{Level: verify.LevelSample, Pick: func(_ chat.Stream, lo chat.Seq) bool { return lo == 41 }},
			1,
			verify.StoredFiles{Found: 20, Blobs: 11, Bytes: 10*size + int64(len(archivetest.Content(url("sticker"))))},
		},
		"files": {
			verify.Options{Level: verify.LevelChain, Files: true},
			3,
			verify.StoredFiles{Found: 40, Hashed: 40, Blobs: 21, Bytes: bytes, BlobsHashed: 21, BytesHashed: bytes},
		},
		"sample of files": {
			verify.Options{Files: true, PickFile: func(sum string) bool { return layout.Blob(sum) == blobKey("sticker") }},
			3,
			verify.StoredFiles{Found: 40, Hashed: 20, Blobs: 21, Bytes: bytes, BlobsHashed: 1, BytesHashed: int64(len(archivetest.Content(url("sticker"))))},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newMemStore()
			b := filed(t, store, group())
			report := verified(t, store, tt.opts)
			if !report.Sound() || len(report.Warnings) > 0 || report.Whole() != (name == "read" || name == "sample of files") {
				t.Errorf("whole %t, findings %v, warnings %v", report.Whole(), report.Findings, report.Warnings)
			}
			want := verify.Files{
				Trail:       verify.Trail{Receipts: 3, Read: tt.read, Last: archive.Link{Key: last, SHA256: b.Media.SHA256}, To: 60},
				StoredFiles: tt.want, Links: map[string]int64{archive.MediaStored: 40, archive.MediaNoURL: 4}, Outstanding: 22 + 11,
			}
			if report.Files == nil {
				t.Fatal("nothing is told of files")
			}
			if diff := cmp.Diff(want, *report.Files); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for key, n := range store.reads {
				if strings.HasPrefix(key, layout.BlobPrefix) && n > 1 {
					t.Errorf("%s was asked for %d times", key, n)
				}
			}
		})
	}
}

func TestFiles_StreamWithoutLinksCostsNoRequest(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	b := sound(t, store, group())
	b.State(func(s *archive.State) { s.Media = &archive.TrailHint{Frontier: 81} })
	store.onList = func(prefix string) {
		if strings.HasPrefix(prefix, layout.MediaPrefixRoot) {
			t.Errorf("%s was listed", prefix)
		}
	}
	if report := verified(t, store, verify.Options{}); !report.Sound() || report.Files != nil {
		t.Errorf("files %+v, findings %v", report.Files, report.Findings)
	}
	for key := range store.reads {
		if strings.HasPrefix(key, layout.MediaPrefixRoot) {
			t.Errorf("%s was asked for", key)
		}
	}
}

// A trail that was never begun, or was switched off, is told and no fault.
func TestFiles_TrailThatHasNotBegunIsNoFault(t *testing.T) {
	t.Parallel()
	for _, level := range []verify.Level{verify.LevelFull, verify.LevelChain} {
		store := newMemStore()
		b := build(t, store, group(), 1)
		b.chunkTo(20)
		b.linkedTo(40)
		b.linkedTo(60)
		b.Manifest(archive.StatusComplete)
		b.State(func(s *archive.State) { s.Media = &archive.TrailHint{Frontier: 21, Manifest: 1, Code: "denied"} })
		report := verified(t, store, verify.Options{Level: level})
		want := &verify.Files{Trail: verify.Trail{To: 20}, Links: map[string]int64{}, Outstanding: 44}
		if diff := cmp.Diff(want, report.Files); diff != "" || !report.Sound() || !report.Whole() && level == verify.LevelFull {
			t.Errorf("level %d: findings %v (-want +got):\n%s", level, report.Findings, diff)
		}
		if store.reads[layout.Media(group(), 21)] != 1 || store.reads[layout.Media(group(), 41)] != 0 {
			t.Errorf("level %d: behind its end a trail is looked for: %v", level, store.reads)
		}
	}
}

func TestFiles_CopyIsProvedByFirstLines(t *testing.T) {
	t.Parallel()
	for _, level := range []verify.Level{verify.LevelFull, verify.LevelChain} {
		original, store := newMemStore(), newMemStore()
		filed(t, original, group())
		filed(t, store, group())
		for key, o := range store.objects {
			store.put(key, o.body, nil)
		}
		want, got := verified(t, original, verify.Options{Level: level}), verified(t, store, verify.Options{Level: level})
		if !got.Sound() || got.Files.Copied != 3 {
			t.Errorf("level %d: %d receipts without metadata, findings %v", level, got.Files.Copied, got.Findings)
		}
		got.Files.Copied = 0
		if diff := cmp.Diff(want.Files, got.Files); diff != "" {
			t.Errorf("level %d (-original +copy):\n%s", level, diff)
		}
	}
}

// A file that messages of several streams have is looked at once, and what is wrong with it is told of each of them.
func TestFiles_ArchiveLooksAtEachOnce(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	filed(t, store, group())
	filed(t, store, topic())
	delete(store.objects, blobKey("sticker"))
	var blobs int64
	summary, err := verify.Archive(t.Context(), store, verify.Options{Files: true}, func(r verify.Report) error {
		if diff := cmp.Diff([]verify.Kind{verify.KindMissingBlob}, kinds(r.Findings)); diff != "" || len(r.Findings) != 1 {
			t.Errorf("%s: findings %v", r.Stream, r.Findings)
		}
		blobs += r.Files.BlobsHashed
		return nil
	})
	if err != nil || summary.Unsound != 2 || blobs != 20 {
		t.Errorf("summary %+v, %d files read, error %v", summary, blobs, err)
	}
	if n := store.reads[blobKey("sticker")]; n != 1 {
		t.Errorf("the missing file was asked for %d times", n)
	}
}

func TestFiles_ArchiveFindsWhatIsNoneOfIts(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	filed(t, store, group())
	sound(t, store, topic())
	orphan := chat.Stream{GroupID: "only a receipt"}
	foreign := []string{
		"media/top.csv", "blob/x", "blob/gid=a/tid=-/x", "blob/aa/" + strings.Repeat("b", 64),
		layout.MediaPrefix(group()) + "notes.txt", layout.MediaPrefix(topic()) + "x", layout.Media(orphan, 1),
	}
	for _, key := range append(foreign, "media/.DS_Store", "blob/aa/Thumbs.db", layout.MediaPrefix(group())+"desktop.ini", layout.Blob(strings.Repeat("a", 64))) {
		store.put(key, nil, nil)
	}
	var found, warned []string
	note := func(findings, warnings []verify.Finding) {
		for _, f := range findings {
			found = append(found, f.Key)
		}
		for _, w := range warnings {
			if w.Kind == verify.KindLitter {
				warned = append(warned, w.Key)
			}
		}
	}
	summary, err := verify.Archive(t.Context(), store, verify.Options{}, func(r verify.Report) error {
		note(r.Findings, r.Warnings)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	note(summary.Findings, summary.Warnings)
	slices.Sort(found)
	slices.Sort(foreign)
	if diff := cmp.Diff(foreign, found); diff != "" || len(warned) != 3 {
		t.Errorf("litter %v, findings (-want +got):\n%s", warned, diff)
	}
}

// An export goes on while it is verified.
func TestFiles_TrailThatGrowsMeanwhileIsNoFault(t *testing.T) {
	t.Parallel()
	grow := func(b *builder) {
		b.Account(61, 80, linked(b.t, 61, 80)...)
		b.Manifest(archive.StatusComplete) // which names it
		b.Account(81, 90, linked(b.t, 81, 90)...)
		b.State(nil)
	}
	for name, when := range map[string]string{
		"before the trail is listed":       layout.MediaPrefix(group()),
		"before its end is looked at":      layout.Media(group(), 61),
		"after its end was looked at":      layout.Chunk(group(), 81),
		"before the last manifest is read": layout.Manifest(group(), 81),
		"after it was looked for":          layout.Chunk(group(), 91),
	} {
		store := newMemStore()
		b := filed(t, store, group())
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

	// A HEAD may be answered by a replica that is behind.
	store := newMemStore()
	filed(t, store, group())
	stale := true
	store.onRead = func(key string) error {
		if key == layout.Media(group(), 41) && stale {
			stale = false
			return fmt.Errorf("not yet: %w", objstore.ErrNotExist)
		}
		return nil
	}
	if report := verified(t, store, verify.Options{Level: verify.LevelChain}); !report.Sound() || report.Files.To != 60 {
		t.Errorf("to %d, findings %v", report.Files.To, report.Findings)
	}
}

// What a store has begun to send it does not send again: that is the verifier's to ask for.
func TestFiles_ReadingThatBreaksOffBeginsAgain(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	filed(t, store, group())
	var broken atomic.Int64
	report, err := verify.Stream(t.Context(), breaking{store, func(key string) error {
		if key == blobKey(12) && broken.Add(1) < 3 {
			return io.ErrUnexpectedEOF
		}
		return nil
	}}, group(), verify.Options{Files: true})
	if err != nil || !report.Sound() || report.Files.BlobsHashed != 21 {
		t.Errorf("files %+v, findings %v, error %v", report.Files, report.Findings, err)
	}
	_, err = verify.Stream(t.Context(), breaking{store, func(string) error { return objstore.ErrDenied }}, group(), verify.Options{Files: true})
	if !errors.Is(err, objstore.ErrDenied) {
		t.Errorf("error %v", err)
	}
	for _, key := range []string{layout.Media(group(), 11), blobKey("sticker")} {
		store.onRead = func(read string) error {
			if read == key {
				return objstore.ErrNoBucket
			}
			return nil
		}
		if _, err = verify.Stream(t.Context(), store, group(), verify.Options{}); !errors.Is(err, objstore.ErrNoBucket) {
			t.Errorf("%s: error %v", key, err)
		}
	}
}

// breaking is a store whose files break off after a few bytes where fail says so.
type breaking struct {
	*memStore

	fail func(key string) error
}

func (s breaking) Open(ctx context.Context, key string) (io.ReadCloser, objstore.Object, error) {
	content, o, err := s.memStore.Open(ctx, key)
	if broken := s.fail(key); err == nil && broken != nil {
		content = io.NopCloser(io.MultiReader(strings.NewReader("the"), iotest.ErrReader(broken)))
	}
	return content, o, err
}

func TestFiles_LinkCalledUnreadOfAChunkThatCanBeReadIsDoubted(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	b := build(t, store, group(), 1)
	b.linkedTo(20)
	b.Manifest(archive.StatusComplete)
	b.Account(1, 10, linked(t, 1, 20)...)
	m := b.ReceiptMeta(11, 20)
	m.Counts = map[string]int64{archive.MediaUnread: 11}
	r, err := archive.Media().NewReceipt(m, nil)
	b.PutReceipt(r, err)
	report := verified(t, store, verify.Options{})
	if !report.Sound() || len(report.Warnings) != 1 || report.Warnings[0].Kind != verify.KindImplausible {
		t.Errorf("findings %v, warnings %v", report.Findings, report.Warnings)
	}
	if diff := cmp.Diff(map[string]int64{archive.MediaStored: 10, archive.MediaNoURL: 1, archive.MediaUnread: 11}, report.Files.Links); diff != "" {
		t.Error(diff)
	}
	b.remove(layout.Chunk(group(), 1))
	report = verified(t, store, verify.Options{})
	if diff := cmp.Diff([]verify.Kind{verify.KindMissingChunk}, kinds(report.Findings)); diff != "" || len(report.Warnings) > 0 {
		t.Errorf("of a chunk that is missing: findings %v, warnings %v", report.Findings, report.Warnings)
	}
}

func FuzzAnyChangedByteOfFilesIsFound(f *testing.F) {
	for object := range 5 {
		for offset := range uint16(20) {
			f.Add(uint8(object), offset*offset, byte(1<<(offset%8)))
		}
	}
	original := newMemStore()
	filed(f, original, group())
	keys := slices.Sorted(maps.Keys(original.objects))
	keys = slices.DeleteFunc(keys, func(key string) bool {
		return !strings.HasPrefix(key, layout.MediaPrefixRoot) && key != blobKey("sticker") && key != blobKey(12)
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
