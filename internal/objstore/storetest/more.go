package storetest

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

func bodyIsNeitherChangedNorHanded(t *testing.T, s Store) {
	w := write("the body", "name", "value")
	before := objstore.Write{Body: slices.Clone(w.Body), ContentType: w.ContentType, Metadata: maps.Clone(w.Metadata)}
	o := create(t, s, "k", w)
	if !bytes.Equal(w.Body, before.Body) || !maps.Equal(w.Metadata, before.Metadata) {
		t.Error("create changed what it was given")
	}
	o.Metadata["name"] = "changed"
	if w.Metadata["name"] != "value" {
		t.Error("create handed out the caller's own metadata")
	}
	got, _, err := s.Get(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	clear(got)
	expect(t, s, "k", before)
}

func invalidKeysAndMetadata(t *testing.T, s Store) {
	long := strings.Repeat("x", 851)
	for _, key := range []string{"", long, "\xff"} {
		_, createErr := s.Create(t.Context(), key, write("x"))
		_, _, getErr := s.Get(t.Context(), key)
		_, headErr := s.Head(t.Context(), key)
		for op, err := range map[string]error{"create": createErr, "get": getErr, "head": headErr} {
			if !errors.Is(err, objstore.ErrInvalid) {
				t.Errorf("%s %.10q: %v, want ErrInvalid", op, key, err)
			}
		}
	}
	for _, md := range [][]string{
		{"under_score", "1"},
		{"Upper", "1"},
		{"", "1"},
		{"sp ace", "1"},
		{"a", "line\nbreak"},
		{"a", "ü"},
		{"a", " outer"},
		{"a", strings.Repeat("x", 2048)},
	} {
		if _, err := s.Create(t.Context(), "k", write("x", md...)); !errors.Is(err, objstore.ErrInvalid) {
			t.Errorf("metadata %.20q: %v, want ErrInvalid", md, err)
		}
	}
	if _, _, err := s.Get(t.Context(), "k"); !errors.Is(err, objstore.ErrNotExist) {
		t.Errorf("get afterwards: %v, want ErrNotExist", err)
	}
}

func keysOfOneAnotherStayApart(t *testing.T, s Store) {
	keys := []string{"a", "a/b", "a/b/c", "A", "a.", "a b", "a+b", "a%20b", "a%2Fb", "a?b", "a#b", "a&b=c", "@TGS#1", "ü/漢字"}
	for _, key := range keys {
		create(t, s, key, write("body of "+key, "n", "1"))
	}
	for _, key := range keys {
		expect(t, s, key, write("body of "+key, "n", "1"))
	}
}

func errorsTellOperationAndKey(t *testing.T, s Store) {
	create(t, s, "taken", write("x"))
	_, _, getErr := s.Get(t.Context(), "missing")
	_, createErr := s.Create(t.Context(), "taken", write("y"))
	for want, err := range map[[2]string]error{{"get", "missing"}: getErr, {"create", "taken"}: createErr} {
		e, ok := errors.AsType[*objstore.Error](err)
		if !ok || e.Op != want[0] || e.Key != want[1] || e.Attempts < 1 || e.Date.IsZero() {
			t.Errorf("error %#v, want op and key %v, an attempt and a date", err, want)
		}
	}
}

func largeObjectReadsBack(t *testing.T, s Store) {
	w := random(3<<20 + 17)
	create(t, s, "large", w)
	expect(t, s, "large", w)
}

func objectLargerThanItsKindIsNotRead(t *testing.T, s Store) {
	stream := chat.Stream{GroupID: "g"}
	for _, key := range []string{layout.State(stream), layout.Genesis(stream), layout.Manifest(stream, 1)} {
		body := make([]byte, layout.MaxBytes(key)+1)
		for _, longer := range []int{0, 1} {
			if _, err := s.Overwrite(t.Context(), key, objstore.Write{Body: body[:len(body)-1+longer]}); err != nil {
				t.Fatal(err)
			}
			got, _, err := s.Get(t.Context(), key)
			if longer == 0 && (err != nil || len(got) != len(body)-1) {
				t.Errorf("get of %s: %v", key, err)
			}
			if longer == 1 && (!errors.Is(err, objstore.ErrTooLarge) || !errors.Is(err, objstore.ErrCorrupt) || len(got) > 0) {
				t.Errorf("get of %s with a byte more: %d bytes, %v", key, len(got), err)
			}
		}
	}
}

func readersSeeWholeObjects(t *testing.T, s Store) {
	versions := []objstore.Write{write(strings.Repeat("a", 5000), "v", "a"), write(strings.Repeat("b", 70000), "v", "b")}
	if _, err := s.Overwrite(t.Context(), "k", versions[0]); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		for i := range 20 {
			if _, err := s.Overwrite(t.Context(), "k", versions[i%2]); err != nil {
				t.Errorf("overwrite: %v", err)
			}
		}
	})
	for range 3 {
		group.Go(func() {
			for range 20 {
				body, o, err := s.Get(t.Context(), "k")
				if err != nil {
					t.Errorf("get: %v", err)
					return
				}
				if v := o.Metadata["v"]; strings.Trim(string(body), v) != "" || o.Size != int64(len(body)) {
					t.Errorf("read bytes of one version with metadata of another: %s", v)
				}
			}
		})
	}
	group.Wait()
}
