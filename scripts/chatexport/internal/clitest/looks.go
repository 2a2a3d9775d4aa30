package clitest

import (
	"fmt"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
)

// Looked writes an archive that was looked at again: chunks begin at 1 and 21, of which every second seq is absent (manifest 1),
// 41 (manifest 41), 51 (manifest 51) and 61 (manifest 61). The receipts of looks begin at 1 (2 was edited), 11 (12 was
// recalled, 13 deleted), 21 (22 was found) and 41, for what had expired up to 60: the trail has not come to 61. What came of 2
// and 22 has a picture, whose file is stored.
func Looked(t testing.TB, store archivetest.Store, s chat.Stream) *Builder {
	t.Helper()
	b := Build(t, store, s)
	b.Messages(20, 1)
	b.Messages(40, 2)
	b.Manifest(archive.StatusPartial)
	b.Look(1, 10, b.pictured(2, archive.ChangeEdited, b.message(2)))
	b.Look(11, 20,
		b.Difference(12, archive.ChangeRecalled, b.message(12), b.element(12, `"IsPlaceMsg":2`)),
		b.Difference(13, archive.ChangeDeleted, b.message(13), b.element(13, `"IsPlaceMsg":1`)))
	b.Messages(50, 1)
	b.Manifest(archive.StatusPartial)
	b.Messages(60, 1)
	b.Manifest(archive.StatusComplete)
	b.Look(21, 40, b.pictured(22, archive.ChangeFound, nil))
	b.Counted(41, 60, archive.ChangeExpired)
	b.Messages(70, 1)
	b.Manifest(archive.StatusComplete)
	b.State(nil)
	return b
}

// pictured is a difference that was a message with a picture when it was looked at.
func (b *Builder) pictured(seq chat.Seq, kind string, was *chat.Element) archive.ChangeLine {
	b.t.Helper()
	now := b.element(seq, fmt.Sprintf(`"IsPlaceMsg":0,"MsgBody":[{"MsgContent":{"ImageInfoArray":[{"Type":1,"URL":"https://a.myqcloud.com/%d"}]},"MsgType":"TIMImageElem"}]`, seq))
	line := b.Difference(seq, kind, was, now)
	for _, link := range chat.Links(now) {
		stored := b.Blob(string(archivetest.Content(link.URL)), "image/png")
		stored.Link = link
		line.Media = append(line.Media, stored)
	}
	return line
}

// message is what Messages writes.
func (b *Builder) message(seq chat.Seq) *chat.Element {
	b.t.Helper()
	return b.element(seq, fmt.Sprintf(`"IsPlaceMsg":0,"MsgBody":[{"MsgContent":{"Text":"message %d"},"MsgType":"TIMTextElem"}]`, seq))
}

func (b *Builder) element(seq chat.Seq, members string) *chat.Element {
	b.t.Helper()
	return &archivetest.Elements(b.t, fmt.Sprintf(
		`{"From_Account":"u%d",%s,"MsgSeq":%d,"MsgTimeStamp":%d}`, seq%4, members, seq, archivetest.When().Unix()+60*int64(seq)))[0]
}
