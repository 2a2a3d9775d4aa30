package filescmd

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/folder"
	"chatexport/scripts/chatexport/internal/cli"
)

// Where the index is, and what it is while it is written.
const (
	indexCSV    = "index.csv"
	indexNDJSON = "index.ndjson"
	unfinished  = ".new"
)

// row is one link in the index: the line of its receipt, and its file. Members are only ever added.
type row struct {
	archive.MediaLine

	Time    int64  `json:"time"`
	From    string `json:"from"`
	File    string `json:"file,omitempty"`    // its name in the folder
	Problem string `json:"problem,omitempty"` // why a stored file is not there
	SeenAt  int64  `json:"seen_at,omitempty"` // when a look found the version that it is in; 0 for the archived one
}

// table is the index.
type table struct {
	lines *json.Encoder
	cells *csv.Writer
}

// writeIndex puts the index in the place of an earlier one when all rows of it are written.
func writeIndex(dir *folder.Folder, fill func(*table) error) error {
	for _, name := range []string{indexCSV, indexNDJSON} {
		if err := dir.Remove(name + unfinished); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	err := dir.CreateFrom(indexNDJSON+unfinished, func(lines io.Writer) error {
		return dir.CreateFrom(indexCSV+unfinished, func(cells io.Writer) error {
			bufferedLines, bufferedCells := bufio.NewWriter(lines), bufio.NewWriter(cells)
			t := newTable(bufferedLines, bufferedCells)
			err := t.head()
			if err == nil {
				err = fill(t)
			}
			t.cells.Flush()
			return errors.Join(err, t.cells.Error(), bufferedCells.Flush(), bufferedLines.Flush())
		}, true)
	}, true)
	if err != nil {
		return err
	}
	// A crash between the two: one is newer than the other, and the next run writes both.
	return errors.Join(dir.Rename(indexNDJSON+unfinished, indexNDJSON), dir.Rename(indexCSV+unfinished, indexCSV))
}

func newTable(lines, cells io.Writer) *table {
	t := &table{lines: json.NewEncoder(lines), cells: csv.NewWriter(cells)}
	t.lines.SetEscapeHTML(false)
	return t
}

// head begins with the mark by which spreadsheets tell UTF-8.
func (t *table) head() error {
	return t.cells.Write([]string{cli.ByteOrderMark + "file", "state", "problem", "time", "seq", "n", "path", "kind", "name", "from", "bytes", "type", "sha256", "code", "url", "seen_at"})
}

func (t *table) add(r *row) error {
	size := ""
	if r.State == archive.MediaStored {
		size = strconv.FormatInt(r.Bytes, 10)
	}
	cells := []string{
		r.File, r.State, r.Problem, stamp(r.Time), strconv.FormatInt(int64(r.Seq), 10), strconv.Itoa(r.N), r.Path, r.Kind, r.Name, r.From, size, r.Type, r.SHA256,
		r.Code, r.URL, stamp(r.SeenAt),
	}
	for i := range cells {
		cells[i] = cli.Cell(cli.OneLine(cells[i]))
	}
	if err := errors.Join(t.lines.Encode(r), t.cells.Write(cells)); err != nil {
		return fmt.Errorf("write the index: %w", err)
	}
	return nil
}

// stamp is a time that a spreadsheet knows for one, empty for none.
func stamp(seconds int64) string {
	if seconds <= 0 {
		return ""
	}
	return time.Unix(seconds, 0).UTC().Format(time.RFC3339)
}
