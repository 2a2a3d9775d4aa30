package catalog_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/dirstore"
)

// files writes an archive of chunks of ten seqs, all but the last of them listed; links says how many links each message has.
func files(t *testing.T, chunks int, links map[chat.Seq]int) *dirstore.Store {
	t.Helper()
	store, err := dirstore.Create(filepath.Join(t.TempDir(), "archive"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	b := archivetest.Build(t, store, stream(), 1)
	for n := 1; n <= chunks; n++ {
		if n == chunks {
			b.Manifest(archive.StatusComplete)
		}
		var texts []string
		for seq := b.Next; seq < b.Next+10; seq++ {
			files := strings.TrimSuffix(strings.Repeat(`{"MsgType":"TIMFileElem","MsgContent":{"Url":"https://x/f","FileSize":7}},`, links[seq]), ",")
			texts = append(texts, fmt.Sprintf(`{"MsgBody":[%s],"MsgSeq":%d,"MsgTimeStamp":%d}`, files, seq, 1_700_000_000+seq))
		}
		b.Chunk(chat.Seq(10*n), archivetest.Elements(t, texts...)...)
	}
	return store
}

// receipt writes the receipt of [lo, hi]: the links of these messages are gone. Without any, it could not read one link.
func receipt(t *testing.T, store *dirstore.Store, lo, hi chat.Seq, links map[chat.Seq]int) {
	t.Helper()
	m := archive.ReceiptMeta{Lo: lo, Hi: hi, Run: "r", Writer: "w", Previous: strings.Repeat("0", 64)}
	var lines []archive.MediaLine
	for seq := lo; seq <= hi; seq++ {
		for n := range links[seq] {
			link := chat.Link{Seq: seq, N: n, Path: fmt.Sprint(n), Kind: chat.LinkFile, URL: "https://x/f"}
			lines = append(lines, archive.MediaLine{Link: link, State: archive.MediaGone, Code: "http_404"})
		}
	}
	r, err := archive.NewMediaReceipt(m, lines)
	if lines == nil {
		m.Counts = map[string]int64{archive.MediaUnread: 1}
		r, err = archive.Media().NewReceipt(m, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	w := objstore.Write{Body: r.Body, Metadata: archive.Media().Metadata(r.Meta)}
	if _, err := store.Overwrite(t.Context(), layout.Media(stream(), lo), w); err != nil {
		t.Fatal(err)
	}
}

// account returns what is told of the links of the messages that wanted accepts.
func account(t *testing.T, store *dirstore.Store, wanted func(chat.Seq) bool) (told []string, err error) {
	t.Helper()
	for c, err := range catalog.Chunks(t.Context(), store, stream()) {
		if err != nil {
			return told, err
		}
		a := catalog.NewAccount(t.Context(), store, stream(), &c)
		err := catalog.Lines(t.Context(), store, stream(), c, func(e chat.Element) error {
			if !wanted(e.Seq) {
				return nil
			}
			lines, err := a.Links(&e)
			for _, l := range lines {
				if l.Size != 7 {
					t.Errorf("link %d.%d has the size %d", l.Seq, l.N, l.Size)
				}
				told = append(told, fmt.Sprintf("%d.%d %s", l.Seq, l.N, l.State))
			}
			return err
		})
		a.Close()
		if err != nil {
			return told, err
		}
	}
	return told, nil
}

func TestAccount_EveryLinkHasItsStateOrNoneYet(t *testing.T) {
	t.Parallel()
	links := map[chat.Seq]int{2: 2, 5: 1, 6: 1, 9: 1, 12: 1, 22: 1, 31: 1, 44: 1}
	store := files(t, 5, links)
	receipt(t, store, 1, 5, links)
	receipt(t, store, 6, 8, links)
	receipt(t, store, 11, 20, nil)
	receipt(t, store, 31, 40, links) // beyond a hole, which is verify's to tell
	for name, c := range map[string]struct {
		wanted func(chat.Seq) bool
		want   []string
	}{
		"all": {func(chat.Seq) bool { return true }, []string{
			"2.0 gone", "2.1 gone", "5.0 gone", "6.0 gone", "9.0 not yet", "12.0 unread", "22.0 not yet", "31.0 gone", "44.0 not yet",
		}},
		"some": {func(seq chat.Seq) bool { return seq == 6 || seq == 9 }, []string{"6.0 gone", "9.0 not yet"}},
	} {
		got, err := account(t, store, c.wanted)
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	receipt(t, store, 1, 5, map[chat.Seq]int{2: 1})
	if _, err := account(t, store, func(seq chat.Seq) bool { return true }); !errors.Is(err, archive.ErrInvalid) {
		t.Errorf("a receipt that leaves a link out: %v", err)
	}
}

func TestWaiting_IsWhatIsListedAndHasNoReceipt(t *testing.T) {
	t.Parallel()
	links := map[chat.Seq]int{2: 2, 5: 1, 9: 1, 22: 4, 44: 1}
	store := files(t, 5, links) // 44 is not listed
	receipt(t, store, 1, 5, links)
	listed := archivetest.When().Add(101e9)
	for name, hint := range map[string]*archive.TrailHint{
		"no hint": nil, "a low one": {Frontier: 1, Manifest: 1}, "the right one": {Frontier: 6, Manifest: 1}, "of an unknown manifest": {Frontier: 6},
	} {
		got, err := catalog.WaitingLinks(t.Context(), store, stream(), 1, hint)
		if hint != nil && hint.Frontier == 1 {
			hint.Frontier = 2 // as soon as it is within a chunk, its receipts are looked at
			got, err = catalog.WaitingLinks(t.Context(), store, stream(), 1, hint)
		}
		if want := (catalog.Waiting{Links: 5, From: 6, Oldest: 1_700_000_001, Listed: listed}); got != want || err != nil {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, want)
		}
	}
	receipt(t, store, 6, 10, links)
	receipt(t, store, 21, 30, links)
	for _, hint := range []*archive.TrailHint{nil, {Frontier: 41, Manifest: 41}} {
		if got, err := catalog.WaitingLinks(t.Context(), store, stream(), 1, hint); got != (catalog.Waiting{}) || err != nil {
			t.Errorf("nothing waits: %+v, %v", got, err)
		}
	}
}

func TestReceipt_OfAnotherRangeIsNone(t *testing.T) {
	t.Parallel()
	links := map[chat.Seq]int{2: 1}
	store := files(t, 2, links)
	receipt(t, store, 1, 12, links)
	if _, err := account(t, store, func(chat.Seq) bool { return true }); !errors.Is(err, archive.ErrInvalid) {
		t.Errorf("one that ends behind its chunk: %v", err)
	}
	receipt(t, store, 2, 10, links)
	body, _, err := store.Get(t.Context(), layout.Media(stream(), 2))
	if err == nil {
		_, err = store.Overwrite(t.Context(), layout.Media(stream(), 1), objstore.Write{Body: bytes.Clone(body)})
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := account(t, store, func(chat.Seq) bool { return true }); !errors.Is(err, archive.ErrInvalid) {
		t.Errorf("one of another name: %v", err)
	}
}
