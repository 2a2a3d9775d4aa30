package sweep

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"chatexport/internal/objstore"
)

const (
	format = 1

	contentJSON = "application/json"
	contentGzip = "application/gzip"

	// maxLine is far above any line of an object of a sweep. The longest is the header of a result, which names up to
	// 2 x maxNamed streams, half of them with a text of maxText bytes: a line that cannot be read back ends the lane.
	maxLine = 4 << 20
)

// errObject means that an object of a sweep cannot be read. Everything in such objects is a hint, so what depends on it
// is done without.
var errObject = errors.New("not a readable object of a sweep")

// unreadable reports whether an object is there, but is nothing that this version understands, or not what was written.
func unreadable(err error) bool {
	return errors.Is(err, errObject) || errors.Is(err, objstore.ErrCorrupt) || errors.Is(err, objstore.ErrTooLarge)
}

// lost reports whether an object is unreadable, or not there: it is done without.
func lost(err error) bool { return unreadable(err) || errors.Is(err, objstore.ErrNotExist) }

// envelope is what every object of a sweep begins with.
type envelope struct {
	Format int    `json:"format"`
	Sweep  string `json:"sweep,omitempty"`
}

func (e envelope) formatOf() int { return e.Format }

// readJSON reads an object, or a line of one, and refuses one of another format.
func readJSON(raw []byte, into any) error {
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%w: %w", errObject, err)
	}
	if f, ok := into.(interface{ formatOf() int }); ok && f.formatOf() != format {
		return fmt.Errorf("%w: format %d, this version reads %d only", errObject, f.formatOf(), format)
	}
	return nil
}

// encodeJSON builds an object for people to read, too.
func encodeJSON(value any) (objstore.Write, error) {
	raw, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return objstore.Write{}, fmt.Errorf("encode object of the sweep: %w", err)
	}
	return objstore.Write{Body: append(raw, '\n'), ContentType: contentJSON}, nil
}

// lines builds a gzipped object of JSON lines as they come. The first is the header, which is known last: it is a gzip
// member of its own.
type lines struct {
	out bytes.Buffer
	zip *gzip.Writer
	enc *json.Encoder
	n   int
	err error
}

func newLines() *lines {
	l := &lines{}
	l.zip = gzip.NewWriter(&l.out)
	l.enc = json.NewEncoder(l.zip)
	l.enc.SetEscapeHTML(false)
	return l
}

func (l *lines) add(line any) {
	l.n++
	if l.err == nil {
		l.err = l.enc.Encode(line)
	}
}

// close returns the object with its header.
func (l *lines) close(header any) (objstore.Write, error) {
	first := newLines()
	first.add(header)
	for _, part := range []*lines{first, l} {
		if err := errors.Join(part.err, part.zip.Close()); err != nil {
			return objstore.Write{}, fmt.Errorf("encode object of the sweep: %w", err)
		}
	}
	return objstore.Write{Body: slices.Concat(first.out.Bytes(), l.out.Bytes()), ContentType: contentGzip}, nil
}

// openLines reads the header of what lines built, and returns its other lines. An error ends them.
func openLines[T any](body []byte, header any) (iter.Seq2[T, error], error) {
	zip, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errObject, err)
	}
	scan := bufio.NewScanner(zip)
	scan.Buffer(make([]byte, 0, 64<<10), maxLine)
	if !scan.Scan() {
		return nil, fmt.Errorf("%w: %w", errObject, cmp.Or(scan.Err(), io.ErrUnexpectedEOF))
	}
	if err := readJSON(scan.Bytes(), header); err != nil {
		return nil, err
	}
	return func(yield func(T, error) bool) {
		for scan.Scan() {
			var line T
			if err := readJSON(scan.Bytes(), &line); !yield(line, err) || err != nil {
				return
			}
		}
		if err := scan.Err(); err != nil {
			var none T
			yield(none, fmt.Errorf("%w: %w", errObject, err))
		}
	}, nil
}

// shelf is the store as one batch sees it. Its errors name the key.
type shelf struct{ *objstore.Observed }

func (s *Sweeper) shelf() shelf { return shelf{objstore.Observe(s.Store, s.Writes)} }

func (s shelf) read(ctx context.Context, key string) ([]byte, objstore.Object, error) {
	body, object, err := s.Get(ctx, key)
	if err != nil {
		return nil, object, fmt.Errorf("read %s: %w", key, err)
	}
	return body, object, nil
}

func (s shelf) readJSON(ctx context.Context, key string, into any) error {
	body, _, err := s.read(ctx, key)
	if err == nil {
		if err = readJSON(body, into); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return err
}

// readLines reads an object of lines: its header at once, the others one by one. The errors of lines name no key.
func readLines[T any](ctx context.Context, s shelf, key string, header any) (iter.Seq2[T, error], error) {
	body, _, err := s.read(ctx, key)
	if err != nil {
		return nil, err
	}
	others, err := openLines[T](body, header)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return others, nil
}

// create writes an object that must not exist yet. If it does, perhaps by this very write, taken is what is there. What
// a crash right after it means, each caller says.
func (s shelf) create(ctx context.Context, key string, w objstore.Write) (taken []byte, object objstore.Object, err error) {
	object, err = s.Create(ctx, key, w)
	if errors.Is(err, objstore.ErrExist) || errors.Is(err, objstore.ErrUnknown) {
		taken, object, err = s.Get(ctx, key)
		if err == nil && bytes.Equal(taken, w.Body) {
			return nil, object, nil // the answer to an earlier attempt was lost
		}
	}
	if err != nil {
		return nil, object, fmt.Errorf("write %s: %w", key, err)
	}
	return taken, object, nil
}

// createLines writes an object of lines, of which any that is there already will do.
func (s shelf) createLines(ctx context.Context, key string, l *lines, header any) error {
	w, err := l.close(header)
	if err == nil {
		_, _, err = s.create(ctx, key, w)
	}
	return err
}

// createJSON is createLines for an object without lines.
func (s shelf) createJSON(ctx context.Context, key string, value any) error {
	w, err := encodeJSON(value)
	if err == nil {
		_, _, err = s.create(ctx, key, w)
	}
	return err
}

// overwriteJSON writes a hint.
func (s shelf) overwriteJSON(ctx context.Context, key string, value any) error {
	w, err := encodeJSON(value)
	if err != nil {
		return err
	}
	if _, err := s.Overwrite(ctx, key, w); err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return nil
}
