package archive_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
)

func mediaReceipt(tb testing.TB) archive.Receipt {
	tb.Helper()
	r, err := archive.NewMediaReceipt(archive.ReceiptMeta{
		Lo: 11, Hi: 20, Run: "20240102T083000Z-1f2e3d4c", Writer: "writer-1", Previous: hash("genesis"),
	}, []archive.MediaLine{
		{Link: chat.Link{Seq: 12, Path: "0", Kind: chat.LinkImage, URL: "https://h/<a>&b"}, State: archive.MediaStored, SHA256: hash("a"), Bytes: 1, Type: "image/png"},
		{Link: chat.Link{Seq: 12, N: 1, Path: "1.relay.0.0", Kind: chat.LinkFile, URL: "https://h/b", Name: "ü"}, State: archive.MediaGone, Code: "http_404"},
		{Link: chat.Link{Seq: 20, Path: "0", Kind: chat.LinkRelay}, State: archive.MediaNoURL, Code: "key_only"},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

const mediaLines = `{"receipt":{"format":1,"lo":11,"hi":20,"links":3,"stored":1,"gone":1,"banned":0,"refused":0,"too_large":0,"external":0,"no_url":1,"failed":0,"unread":0,` +
	`"run":"20240102T083000Z-1f2e3d4c","writer":"writer-1","previous":"aeebad4a796fcc2e15dc4c6061b45ed9b373f26adfc798ca7d2d8cc58182718e"}}
{"seq":12,"n":0,"path":"0","kind":"image","url":"https://h/<a>&b","state":"stored","sha256":"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb","bytes":1,"type":"image/png"}
{"seq":12,"n":1,"path":"1.relay.0.0","kind":"file","url":"https://h/b","name":"ü","state":"gone","code":"http_404"}
{"seq":20,"n":0,"path":"0","kind":"relay","state":"no-url","code":"key_only"}
`

func TestReceipt_IsGoldenAndReadBack(t *testing.T) {
	t.Parallel()
	r := mediaReceipt(t)
	if diff := cmp.Diff(mediaLines, unzip(t, r.Body)); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	md := archive.Media().Metadata(r.Meta)
	want := map[string]string{
		"format": "1", "lo": "11", "hi": "20", "links": "3", "stored": "1", "gone": "1", "banned": "0", "refused": "0", "too-large": "0", "external": "0",
		"no-url": "1", "failed": "0", "unread": "0", "sha256": hash(string(r.Body)), "run": "20240102T083000Z-1f2e3d4c", "writer": "writer-1", "previous": hash("genesis"),
	}
	if diff := cmp.Diff(want, md); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	parsed, err := archive.Media().ParseMetadata(md)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	read, err := archive.ReadMediaReceipt(bytes.NewReader(r.Body), func(archive.MediaLine) error { seen++; return nil })
	if err != nil || seen != 3 {
		t.Fatalf("%d lines, %v", seen, err)
	}
	if diff := cmp.Diff(parsed, read); diff != "" {
		t.Errorf("metadata and first line differ:\n%s", diff)
	}
}

func TestReceipt_MetadataThatAreNotItsOwnAreRefused(t *testing.T) {
	t.Parallel()
	if _, err := archive.Media().ParseMetadata(map[string]string{"storage": "x"}); !errors.Is(err, archive.ErrNoMetadata) {
		t.Errorf("without metadata: %v", err)
	}
	for name, value := range map[string]string{
		"lo": "0", "hi": "10", "links": "4", "stored": "2", "gone": "-1", "no-url": "x", "run": "", "writer": "a b", "previous": "", "sha256": "1", "format": "0",
	} {
		md := maps.Clone(archive.Media().Metadata(mediaReceipt(t).Meta))
		md[name] = value
		if _, err := archive.Media().ParseMetadata(md); !errors.Is(err, archive.ErrInvalid) {
			t.Errorf("%s %q: %v", name, value, err)
		}
		delete(md, name)
		if _, err := archive.Media().ParseMetadata(md); !errors.Is(err, archive.ErrInvalid) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	md := archive.Media().Metadata(mediaReceipt(t).Meta)
	md["format"] = "2"
	if _, err := archive.Media().ParseMetadata(md); !errors.Is(err, archive.ErrFormat) {
		t.Errorf("format 2: %v", err)
	}
}

func TestReceipt_LinesThatDoNotAddUpAreRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(string) string{
		"one line less":       func(s string) string { return s[:strings.LastIndex(s[:len(s)-1], "\n")+1] },
		"no lines":            func(string) string { return "" },
		"another first line":  func(s string) string { return "{}\n" + s },
		"spaces":              func(s string) string { return strings.Replace(s, `"lo":11`, `"lo": 11`, 1) },
		"a member more":       func(s string) string { return strings.Replace(s, `"lo":11`, `"lo":11,"x":1`, 1) },
		"another state":       func(s string) string { return strings.Replace(s, `"state":"gone"`, `"state":"lost"`, 1) },
		"one state less":      func(s string) string { return strings.Replace(s, `"state":"gone"`, `"state":"failed"`, 1) },
		"order":               func(s string) string { return strings.Replace(s, `"seq":12,"n":1`, `"seq":11,"n":1`, 1) },
		"a link is left out":  func(s string) string { return strings.Replace(s, `"seq":12,"n":1`, `"seq":12,"n":2`, 1) },
		"beyond its end":      func(s string) string { return strings.Replace(s, `"seq":20`, `"seq":21`, 1) },
		"stored without sum":  func(s string) string { return strings.Replace(s, `"sha256":"ca`, `"sha512":"ca`, 1) },
		"a line that is none": func(s string) string { return strings.Replace(s, `{"seq":20`, `["seq":20`, 1) },
		"cut off":             func(s string) string { return s[:len(s)-1] },
	} {
		var object bytes.Buffer
		zip := gzip.NewWriter(&object)
		_, err := zip.Write([]byte(change(mediaLines)))
		if err = errors.Join(err, zip.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.ReadMediaReceipt(&object, nil); !errors.Is(err, archive.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReceipt_OfLinksThatCouldNotBeReadHasNoLines(t *testing.T) {
	t.Parallel()
	r, err := archive.Media().NewReceipt(archive.ReceiptMeta{
		Lo: 11, Hi: 20, Counts: map[string]int64{archive.MediaUnread: 5000}, Run: "r", Writer: "w", Previous: hash("genesis"),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := archive.ReadMediaReceipt(bytes.NewReader(r.Body), nil)
	if err != nil || m.Sum() != 5000 {
		t.Errorf("%+v, %v", m, err)
	}
	_, err = archive.NewMediaReceipt(archive.ReceiptMeta{Lo: 11, Hi: 20, Run: "r", Writer: "w", Previous: hash("genesis")}, nil)
	if !errors.Is(err, archive.ErrInvalid) {
		t.Errorf("a receipt of nothing: %v", err)
	}
}
