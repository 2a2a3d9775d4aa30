package filescmd

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
)

func TestName_IsHarmlessWhateverItsSenderCalledIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ kind, name, served, url, want string }{
		{"image", "", "image/jpeg", "", ".jpg"},
		{"image", "", "image/png; charset=x", "", ".png"},
		{"image", "", "text/html", "https://x/a.JPG?b=.exe", ".jpg"},
		{"image", "", "text/html", "https://x/a.html", ".bin"},
		{"image", "", "application/octet-stream", "https://x/a?imageMogr2/", ".bin"},
		{"file", "f.pdf", "text/html", "", "_f.pdf"},
		{"file", "notes", "text/plain", "", "_notes.txt"},
		{"file", "notes", "", "", "_notes"},
		{"file", "报告 终.docx", "", "", "_报告_终.docx"},
		{"file", "../../etc/passwd", "", "", "_etc_passwd"},
		{"file", `..\..\x.ini`, "", "", "_x.ini"},
		{"file", ".bashrc", "", "", "_bashrc"},
		{"file", "a\x00b\nc\u202Efdp.exe", "", "", "_ab_cfdp.exe"},
		{"file", "a\u200b\u2066\ufffd\xffb.txt", "", "", "_ab.txt"},
		{"file", "x. . .", "", "", "_x._._"},
		{"file", "x...", "", "", "_x"},
		{"file", "CON", "", "", "_CON"},
		{"file", `a:b*c?"<>|.txt`, "", "", "_a_b_c_____.txt"},
		{"file", "...", "image/png", "", ".png"},
		{"../file", "-rf", "", "", "_rf"},
	} {
		l := archive.MediaLine{Link: chat.Link{Seq: 6, N: 1, Kind: c.kind, Name: c.name, URL: c.url}, Type: c.served}
		want := "20231114T221320Z_0000000006_01_" + strings.TrimLeft(c.kind, "./") + c.want
		if got := nameOf(&l, 1_700_000_000, false); got != want {
			t.Errorf("%+v: %q, want %q", c, got, want)
		}
	}
}

func TestName_IsShortAndKeepsItsExtension(t *testing.T) {
	t.Parallel()
	for _, name := range []string{strings.Repeat("长", 300) + ".pdf", strings.Repeat("x", 300), "x." + strings.Repeat("y", 300)} {
		l := archive.MediaLine{Link: chat.Link{Seq: chat.MaxSeq, N: 1_000_000, Kind: chat.LinkSound, Name: name}, Type: "image/jpeg"}
		got := nameOf(&l, 1_700_000_000, false)
		if len(got) > 143 || !utf8.ValidString(got) || strings.HasSuffix(name, ".pdf") != strings.HasSuffix(got, ".pdf") {
			t.Errorf("%q has %d bytes", got, len(got))
		}
	}
	for _, seconds := range []int64{0, -1, 1 << 55} {
		if got := nameOf(&archive.MediaLine{}, seconds, false); !strings.HasPrefix(got, "undated_") {
			t.Errorf("at %d: %q", seconds, got)
		}
	}
}

func FuzzName(f *testing.F) {
	f.Add("a/../b", "image/png", int64(5))
	f.Fuzz(func(t *testing.T, name, served string, seconds int64) {
		l := archive.MediaLine{Link: chat.Link{Name: name, URL: name, Kind: chat.LinkFile}, Type: served}
		got := nameOf(&l, seconds, false)
		if filepath.Base(got) != got || !filepath.IsLocal(got) || len(got) > 255 || !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\n\\/:") || got[0] == '.' {
			t.Errorf("%q", got)
		}
	})
}
