package clitest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	"chatexport/internal/objstore/dirstore"
)

// Folder makes a folder for an archive.
func Folder(t testing.TB) (*dirstore.Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "archive")
	store, err := dirstore.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store, dir
}

// Builder builds the archive of one stream.
type Builder struct {
	*archivetest.Builder

	t       testing.TB
	store   archivetest.Store
	receipt string // sha256 of the last one of files, of genesis before the first
	look    string // the same of looks
}

// Build begins an archive.
func Build(t testing.TB, store archivetest.Store, s chat.Stream) *Builder {
	t.Helper()
	b := archivetest.Build(t, store, s, 1)
	return &Builder{Builder: b, t: t, store: store, receipt: b.Link.SHA256, look: b.Link.SHA256}
}

// Messages writes the next chunk, up to hi, with every step-th seq: one a minute from archivetest.When on.
func (b *Builder) Messages(hi, step chat.Seq) {
	b.t.Helper()
	var elements []chat.Element
	for seq := b.Next; seq <= hi; seq += step {
		elements = append(elements, *b.message(seq))
	}
	b.Chunk(hi, elements...)
}

// Sound writes an archive with two manifests, an expired range, absent seqs and a chunk that no manifest lists: chunks
// begin at 1 and 21 (manifest 1), 46, expired, and 61 (manifest 46), and 81.
func Sound(t testing.TB, store archivetest.Store, s chat.Stream) *Builder {
	t.Helper()
	b := Build(t, store, s)
	b.Messages(20, 1)
	b.Messages(45, 2)
	b.Manifest(archive.StatusPartial)
	b.Expired(60)
	b.Messages(80, 1)
	b.Manifest(archive.StatusComplete)
	b.Messages(100, 1)
	b.State(nil)
	return b
}

// Filed writes an archive with files: chunks begin at 1, of pictures (manifest 1), 21, of none, and 31, of pictures (manifest
// 21). The receipts begin at 1, 11 and 31, where the trail ends at 40: of the last five pictures nothing is recorded. The URL
// of each has its seq at its end.
func Filed(t testing.TB, store archivetest.Store, s chat.Stream) *Builder {
	t.Helper()
	b := Build(t, store, s)
	first := b.pictures(20)
	b.Manifest(archive.StatusPartial)
	b.Account(1, 10, first...)
	b.Account(11, 20, first...)
	b.Messages(30, 1)
	last := b.pictures(50)
	b.Manifest(archive.StatusComplete)
	b.Account(31, 40, last...)
	b.State(nil)
	return b
}

// pictures writes the next chunk, up to hi: each second message has a picture.
func (b *Builder) pictures(hi chat.Seq) []chat.Element {
	b.t.Helper()
	var elements []chat.Element
	for seq := b.Next; seq <= hi; seq++ {
		content := fmt.Sprintf(`{"MsgContent":{"Text":"message %d"},"MsgType":"TIMTextElem"}`, seq)
		if seq%2 == 0 {
			content = fmt.Sprintf(`{"MsgContent":{"ImageInfoArray":[{"Type":1,"URL":"https://a.myqcloud.com/%d"}]},"MsgType":"TIMImageElem"}`, seq)
		}
		elements = append(elements, archivetest.Elements(b.t, fmt.Sprintf(
			`{"From_Account":"u","IsPlaceMsg":0,"MsgBody":[%s],"MsgSeq":%d,"MsgTimeStamp":%d}`, content, seq, archivetest.When().Unix()+int64(seq)))...)
	}
	b.Chunk(hi, elements...)
	return elements
}

// Damage changes an object's file behind the store's back.
func Damage(t testing.TB, dir, key, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(key)), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
