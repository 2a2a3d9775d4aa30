// Package sample makes small real files of the kinds that people send: pictures, a sound, a document. What it makes
// follows from a seed alone, and another seed brings other bytes.
//
// It owns no behaviour: how a file is served is the media host's. It must never read a file, so that no binary has to be
// kept in the repository.
package sample

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"strings"
)

// Side is the width and the height of a picture, in pixels.
const Side = 24

// PNG returns a picture of some hundred bytes, image/png.
func PNG(seed uint64) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, picture(seed)); err != nil {
		panic(fmt.Sprintf("encode a picture in memory: %v", err)) // it cannot fail
	}
	return b.Bytes()
}

// JPEG returns a picture of about a kilobyte, image/jpeg.
func JPEG(seed uint64) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture(seed), nil); err != nil {
		panic(fmt.Sprintf("encode a picture in memory: %v", err)) // it cannot fail
	}
	return b.Bytes()
}

// picture is a slope of two colours with some dots, so that no two seeds look alike.
func picture(seed uint64) image.Image {
	r := random(seed)
	from, to := r.Uint32(), r.Uint32()
	img := image.NewNRGBA(image.Rect(0, 0, Side, Side))
	for y := range Side {
		for x := range Side {
			mix := func(shift int) uint8 {
				a, b := int(uint8(from>>shift)), int(uint8(to>>shift))
				return uint8(a + (b-a)*(x+y)/(2*Side)) //nolint:gosec // between two bytes
			}
			img.SetNRGBA(x, y, color.NRGBA{R: mix(0), G: mix(8), B: mix(16), A: 255})
		}
	}
	for range 8 {
		img.SetNRGBA(r.IntN(Side), r.IntN(Side), color.NRGBA{R: 255, G: 255, B: 255, A: 255})
	}
	return img
}

const (
	wavRate   = 8000 // samples a second
	wavLength = 800  // samples: a tenth of a second
	wavHeader = 44   // bytes
)

// WAV returns a short tone, audio/wav: 8000 samples a second of 8 bits, one channel.
func WAV(seed uint64) []byte {
	r := random(seed)
	hertz, loud := 220+660*r.Float64(), 60+60*r.Float64()
	b := make([]byte, 0, wavHeader+wavLength)
	b = append(b, "RIFF"...)
	b = binary.LittleEndian.AppendUint32(b, wavHeader-8+wavLength)
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)      // bytes of what follows, up to "data"
	b = binary.LittleEndian.AppendUint16(b, 1)       // PCM
	b = binary.LittleEndian.AppendUint16(b, 1)       // channels
	b = binary.LittleEndian.AppendUint32(b, wavRate) // samples a second
	b = binary.LittleEndian.AppendUint32(b, wavRate) // bytes a second
	b = binary.LittleEndian.AppendUint16(b, 1)       // bytes of a sample
	b = binary.LittleEndian.AppendUint16(b, 8)       // bits of a sample
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, wavLength)
	for i := range wavLength {
		b = append(b, uint8(128+loud*math.Sin(2*math.Pi*hertz*float64(i)/wavRate)))
	}
	return b
}

// PDF returns a document of one page that shows a line of text, application/pdf. What is not ASCII shows as "?".
func PDF(text string) []byte {
	show := "BT /F1 18 Tf 72 720 Td (" + pdfText(text) + ") Tj ET"
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(show), show),
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
	}
	var b bytes.Buffer
	var table strings.Builder
	table.WriteString("0000000000 65535 f \n")
	b.WriteString("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
	for i, o := range objects {
		fmt.Fprintf(&table, "%010d 00000 n \n", b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	start, size := b.Len(), len(objects)+1
	fmt.Fprintf(&b, "xref\n0 %d\n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", size, table.String(), size, start)
	return b.Bytes()
}

// pdfText escapes what a string of a document may not hold.
func pdfText(text string) string {
	ascii := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	return strings.NewReplacer(`\`, `\\`, "(", `\(`, ")", `\)`).Replace(ascii)
}

// Bytes returns n bytes without meaning, for a video or any other file that nobody opens.
func Bytes(seed uint64, n int) []byte {
	b, r := make([]byte, n), random(seed)
	for i := range b {
		b[i] = byte(r.Uint32()) //nolint:gosec // any byte will do
	}
	return b
}

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 2)) }
