package sample_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	_ "image/jpeg" // decodes what is tested
	_ "image/png"  // decodes what is tested
	"strconv"
	"strings"
	"testing"

	"chatexport/internal/emulator/media/sample"
)

func TestSample_FollowsFromItsSeed(t *testing.T) {
	t.Parallel()
	for kind, of := range map[string]func(seed uint64) []byte{
		"png": sample.PNG, "jpeg": sample.JPEG, "wav": sample.WAV,
		"pdf":   func(seed uint64) []byte { return sample.PDF(fmt.Sprint("page ", seed)) },
		"bytes": func(seed uint64) []byte { return sample.Bytes(seed, 300) },
	} {
		if a := of(1); !bytes.Equal(a, of(1)) || bytes.Equal(a, of(2)) || len(a) < 100 || len(a) > 4096 {
			t.Errorf("%s: %d bytes, want 100 to 4096 that are the same for the same seed only", kind, len(a))
		}
	}
}

func TestSample_PicturesDecode(t *testing.T) {
	t.Parallel()
	for want, file := range map[string][]byte{"png": sample.PNG(7), "jpeg": sample.JPEG(7)} {
		img, format, err := image.Decode(bytes.NewReader(file))
		if err != nil || format != want || img.Bounds().Dx() != sample.Side || img.Bounds().Dy() != sample.Side {
			t.Errorf("%s: decoded as %q with error %v", want, format, err)
		}
	}
}

func TestSample_WAVIsRIFF(t *testing.T) {
	t.Parallel()
	file := sample.WAV(3)
	if string(file[:4]) != "RIFF" || string(file[8:16]) != "WAVEfmt " || int(binary.LittleEndian.Uint32(file[4:]))+8 != len(file) {
		t.Fatalf("header %q of %d bytes", file[:16], len(file))
	}
	at := 20 + int(binary.LittleEndian.Uint32(file[16:])) // behind the format
	if string(file[at:at+4]) != "data" || int(binary.LittleEndian.Uint32(file[at+4:])) != len(file)-at-8 {
		t.Errorf("data at %d: %q", at, file[at:at+8])
	}
	low, high := file[at+8], file[at+8]
	for _, v := range file[at+8:] {
		low, high = min(low, v), max(high, v)
	}
	if high-low < 100 {
		t.Errorf("the tone goes from %d to %d: nobody would hear it", low, high)
	}
}

// A reader of documents begins at the end: startxref, the table, then each object where the table says.
func TestSample_PDFHasItsObjectsWhereItsTableSays(t *testing.T) {
	t.Parallel()
	file := string(sample.PDF(`a (b) \ ü`))
	if !strings.HasPrefix(file, "%PDF-1.") || !strings.HasSuffix(file, "%%EOF\n") || !strings.Contains(file, `(a \(b\) \\ ?) Tj`) {
		t.Fatalf("not a document:\n%s", file)
	}
	_, tail, _ := strings.Cut(file, "startxref\n")
	start, err := strconv.Atoi(strings.TrimSuffix(tail, "\n%%EOF\n"))
	if err != nil || !strings.HasPrefix(file[start:], "xref\n0 6\n") {
		t.Fatalf("no table at %d (%v)", start, err)
	}
	table, _, _ := strings.Cut(file[start+len("xref\n0 6\n"):], "trailer")
	if len(table) != 6*20 {
		t.Fatalf("the table has %d bytes, want 6 entries of 20", len(table))
	}
	for n := 1; n < 6; n++ {
		at, err := strconv.Atoi(table[20*n : 20*n+10])
		if want := fmt.Sprintf("%d 0 obj\n", n); err != nil || !strings.HasPrefix(file[at:], want) {
			t.Errorf("object %d is not at %d (%v)", n, at, err)
		}
	}
	_, rest, _ := strings.Cut(file, "/Length ")
	length, stream, _ := strings.Cut(rest, " >>\nstream\n")
	if n, err := strconv.Atoi(length); err != nil || !strings.HasPrefix(stream[n:], "\nendstream") {
		t.Errorf("the page's content is not %s bytes long", length)
	}
}
