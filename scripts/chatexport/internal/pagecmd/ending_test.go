package pagecmd

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Whatever a stranger sends and calls it, it gets one of the endings that no browser runs, and a document's only if it is one.
func FuzzEnding(f *testing.F) {
	for _, name := range []string{"a.html", "a.svg", "a.PDF", "a.pdf.html", "../a.docx", "a.pdf\x00.html", ".htaccess", "", "a.", "con.zip"} {
		for _, content := range []string{"<svg xmlns='http://www.w3.org/2000/svg'><script>", "<!doctype html>", "%PDF-1.4", "PK\x03\x04", "\x89PNG\r\n\x1a\n", "", "\xff\xfe<\x00"} {
			f.Add(name, []byte(content))
		}
	}
	all := endings()
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		ending := endingOf(content, name)
		if !slices.Contains(all, ending) {
			t.Fatalf("%q of %q gets the ending %q", name, content, ending)
		}
		if kind := http.DetectContentType(content); strings.HasPrefix(kind, "text/") && ending != saved && ending != ".aac" { // which nothing but players opens
			t.Errorf("%q of %q, which is %s, gets the ending %q", name, content, kind, ending)
		}
		if ending == ".pdf" && !bytes.HasPrefix(content, []byte("%PDF-")) {
			t.Errorf("%q is no PDF", content)
		}
	})
}
