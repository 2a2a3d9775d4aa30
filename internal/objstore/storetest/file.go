package storetest

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"chatexport/internal/objstore"
)

// file makes of a body the same content as a file.
func file(w objstore.Write) objstore.Write {
	return objstore.Write{File: w.Source(), ContentType: w.ContentType, Metadata: w.Metadata}
}

func random(size int) objstore.Write {
	body := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(body) // never fails
	return objstore.Write{Body: body, ContentType: "application/octet-stream", Metadata: map[string]string{"lo": "1"}}
}

func fileIsKeptAsABodyIs(t *testing.T, s Store) {
	for key, w := range map[string]objstore.Write{"empty": write(""), "short": write("x"), "long": random(1<<20 + 17)} {
		if o := create(t, s, key, file(w)); o.Size != int64(len(w.Body)) || o.CRC64 != objstore.CRC64(w.Body) {
			t.Errorf("create of %s answered size %d, crc %d", key, o.Size, o.CRC64)
		}
		expect(t, s, key, w)
		if _, err := s.Create(t.Context(), key, file(w)); !errors.Is(err, objstore.ErrExist) {
			t.Errorf("second create of %s: %v, want ErrExist", key, err)
		}
		if _, err := s.Overwrite(t.Context(), key, file(write("other"))); err != nil {
			t.Errorf("overwrite of %s: %v", key, err)
		}
		expect(t, s, key, objstore.Write{Body: []byte("other"), Metadata: map[string]string{}})
	}
}

func fileThatIsNotItsSumsIsNotStored(t *testing.T, s Store) {
	body := random(100_000).Body
	changed := file(objstore.Write{Body: body})
	changed.File.Content = bytes.NewReader(append([]byte{body[0] ^ 1}, body[1:]...))
	if _, err := s.Create(t.Context(), "k", changed); !errors.Is(err, objstore.ErrCorrupt) {
		t.Errorf("create of changed content: %v, want ErrCorrupt", err)
	}
	cut := file(objstore.Write{Body: body})
	cut.File.Content = bytes.NewReader(body[1:])
	if _, err := s.Create(t.Context(), "k", cut); err == nil {
		t.Error("content that is cut was stored")
	}
	if _, _, err := s.Get(t.Context(), "k"); !errors.Is(err, objstore.ErrNotExist) {
		t.Errorf("get afterwards: %v, want ErrNotExist", err)
	}
	create(t, s, "k", file(objstore.Write{Body: body}))
}

func objectIsReadPieceByPiece(t *testing.T, s Store) {
	opener := s.(Opener)
	if _, _, err := opener.Open(t.Context(), "k"); !errors.Is(err, objstore.ErrNotExist) {
		t.Errorf("open of nothing: %v, want ErrNotExist", err)
	}
	for key, w := range map[string]objstore.Write{"empty": write(""), "long": random(1<<20 + 17)} {
		create(t, s, key, w)
		r, o, err := opener.Open(t.Context(), key)
		if err != nil {
			t.Fatalf("open %s: %v", key, err)
		}
		if o.Size != int64(len(w.Body)) || o.CRC64 != objstore.CRC64(w.Body) || len(o.Metadata) != len(w.Metadata) {
			t.Errorf("open of %s tells %+v", key, o)
		}
		got, err := io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err != nil || !bytes.Equal(got, w.Body) {
			t.Errorf("read of %s: %d bytes, %v", key, len(got), err)
		}
	}
}
