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
	"time"

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
		if part.err == nil {
			part.err = part.zip.Close()
		}
		if part.err != nil {
			return objstore.Write{}, fmt.Errorf("encode object of the sweep: %w", part.err)
		}
	}
	return objstore.Write{Body: slices.Concat(first.out.Bytes(), l.out.Bytes()), ContentType: contentGzip}, nil
}

// openLines reads the header of what lines built, and returns the other lines. Each is valid until the next.
func openLines(body []byte, header any) (iter.Seq2[[]byte, error], error) {
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
	return func(yield func([]byte, error) bool) {
		for scan.Scan() {
			if !yield(scan.Bytes(), nil) {
				return
			}
		}
		if err := scan.Err(); err != nil {
			yield(nil, fmt.Errorf("%w: %w", errObject, err))
		}
	}, nil
}

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

// envelope is what every object of a sweep begins with.
type envelope struct {
	Format int    `json:"format"`
	Sweep  string `json:"sweep,omitempty"`
}

func (e envelope) formatOf() int { return e.Format }

// encodeJSON builds an object for people to read, too.
func encodeJSON(value any) (objstore.Write, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(value); err != nil {
		return objstore.Write{}, fmt.Errorf("encode object of the sweep: %w", err)
	}
	return objstore.Write{Body: out.Bytes(), ContentType: contentJSON}, nil
}

// shelf is the store as one batch sees it: it notes the store's clock, by which it tells what was written before the
// batch began.
type shelf struct {
	Store

	began time.Time // the store's clock at its first answer
}

func (s *shelf) get(ctx context.Context, key string) ([]byte, objstore.Object, error) {
	body, object, err := s.Get(ctx, key)
	s.saw(object, err)
	return body, object, err
}

func (s *shelf) saw(object objstore.Object, err error) {
	if !s.began.IsZero() {
		return
	}
	s.began = object.Date
	if failure, ok := errors.AsType[*objstore.Error](err); ok {
		s.began = failure.Date
	}
}

// create writes an object that must not exist yet. If it does, perhaps by this very write, taken is what is there. What
// a crash right after it means, each caller says.
func (s *shelf) create(ctx context.Context, key string, w objstore.Write) (taken []byte, object objstore.Object, err error) {
	object, err = s.Create(ctx, key, w)
	s.saw(object, err)
	if errors.Is(err, objstore.ErrExist) || errors.Is(err, objstore.ErrUnknown) {
		taken, object, err = s.get(ctx, key)
		if err == nil && bytes.Equal(taken, w.Body) {
			return nil, object, nil // the answer to an earlier attempt was lost
		}
	}
	return taken, object, err
}

// alive reports whether an object was written while this batch was under way, so that whoever wrote it goes on.
func (s *shelf) alive(object objstore.Object) bool {
	return !s.began.IsZero() && object.LastModified.After(s.began)
}
