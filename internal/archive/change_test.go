package archive_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
)

const changeLines = `{"receipt":{"format":1,"lo":11,"hi":20,"same":6,"edited":1,"recalled":0,"deleted":0,"missing":1,"found":1,"expired":1,"unread":0,` +
	`"from":1700000000,"to":1700000001,"run":"r","writer":"w","previous":"aeebad4a796fcc2e15dc4c6061b45ed9b373f26adfc798ca7d2d8cc58182718e"}}
{"seq":12,"kind":"edited","was":"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb","now":{"GroupId":"g","MsgSeq":12},"seen_at":1700000000,` +
	`"media":[{"seq":12,"n":1,"path":"1","kind":"file","url":"https://h/<a>&b","state":"stored","sha256":"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb","bytes":1}]}
{"seq":13,"kind":"missing","was":"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb","seen_at":1700000000}
{"seq":20,"kind":"found","now":{"GroupId":"g","MsgSeq":20},"seen_at":1700000001}
`

func TestChange_ReceiptIsGoldenAndReadBack(t *testing.T) {
	t.Parallel()
	lines := []archive.ChangeLine{
		{Seq: 12, Kind: archive.ChangeEdited, Was: hash("a"), Now: []byte(`{"GroupId":"g","MsgSeq":12}`), SeenAt: 1700000000, Media: []archive.MediaLine{
			{Link: chat.Link{Seq: 12, N: 1, Path: "1", Kind: chat.LinkFile, URL: "https://h/<a>&b"}, State: archive.MediaStored, SHA256: hash("a"), Bytes: 1},
		}},
		{Seq: 13, Kind: archive.ChangeMissing, Was: hash("a"), SeenAt: 1700000000},
		{Seq: 20, Kind: archive.ChangeFound, Now: []byte(`{"GroupId":"g","MsgSeq":20}`), SeenAt: 1700000001},
	}
	var w archive.ChangeWriter
	for _, l := range lines {
		if err := w.Add(l); err != nil {
			t.Fatal(err)
		}
	}
	w.Count(archive.ChangeSame, 6)
	w.Count(archive.ChangeExpired, 1)
	r, err := w.Receipt(archive.ReceiptMeta{Lo: 11, Hi: 20, From: 1700000000, To: 1700000001, Run: "r", Writer: "w", Previous: hash("genesis")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(changeLines, unzip(t, r.Body)); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	var read []archive.ChangeLine
	m, err := archive.ReadChangeReceipt(bytes.NewReader(r.Body), func(l archive.ChangeLine) error { read = append(read, l); return nil })
	if diff := cmp.Diff(lines, read); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	parsed, err := archive.Change().ParseMetadata(archive.Change().Metadata(r.Meta))
	if diff := cmp.Diff(parsed, m); diff != "" || err != nil {
		t.Errorf("metadata and first line differ: %v\n%s", err, diff)
	}
	w.Count(archive.ChangeSame, 1)
	if _, err := w.Receipt(r.Meta); !errors.Is(err, archive.ErrInvalid) {
		t.Errorf("a seq too many: %v", err)
	}
}

func TestChange_LinesThatDoNotAddUpAreRefused(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string][2]string{
		"counts beyond the range":    {`"same":6`, `"same":7`},
		"counts below the range":     {`"same":6`, `"same":5`},
		"other counts than lines":    {`"same":6,"edited":1`, `"same":5,"edited":2`},
		"times that go back":         {`"to":1700000001`, `"to":1699999999`},
		"another kind":               {`"kind":"missing"`, `"kind":"same"`},
		"one kind less":              {`"kind":"edited"`, `"kind":"recalled"`},
		"no sum of what it was":      {`"kind":"missing","was":"ca`, `"kind":"missing","wos":"ca`},
		"order":                      {`"seq":13`, `"seq":11`},
		"below its range":            {`"lo":11,"hi":20`, `"lo":13,"hi":22`},
		"beyond its end":             {`{"seq":20,"kind":"found","now":{"GroupId":"g","MsgSeq":20}`, `{"seq":21,"kind":"found","now":{"GroupId":"g","MsgSeq":21}`},
		"element of another seq":     {`"MsgSeq":20`, `"MsgSeq":19`},
		"element without a group":    {`{"GroupId":"g","MsgSeq":20}`, `{"MsgSeq":20}`},
		"element of a missing one":   {`"kind":"missing"`, `"kind":"missing","now":{"GroupId":"g","MsgSeq":13}`},
		"no element":                 {`"now":{"GroupId":"g","MsgSeq":20},`, ``},
		"link of another seq":        {`[{"seq":12`, `[{"seq":13`},
		"stored without a sum":       {`"state":"stored","sha256":`, `"state":"stored","sha512":`},
		"sum of what is not stored":  {`"state":"stored"`, `"state":"gone"`},
		"a line that is none":        {`{"seq":13`, `["seq":13`},
		"a first line of files":      {`"same":6,`, `"links":6,`},
		"bytes below none of a file": {`"bytes":1`, `"bytes":-1`},
	} {
		lines := strings.Replace(changeLines, edit[0], edit[1], 1)
		if lines == changeLines {
			t.Errorf("%s changes nothing", name)
		}
		var object bytes.Buffer
		zip := gzip.NewWriter(&object)
		_, err := zip.Write([]byte(lines))
		if err = errors.Join(err, zip.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.ReadChangeReceipt(&object, nil); !errors.Is(err, archive.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
