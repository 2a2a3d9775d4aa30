package target

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	_ "time/tzdata" // of one's choice, whatever this machine knows
)

// NamesHelp is the part of help texts that says where names come from.
const NamesHelp = `Names of groups come from the last sweep, people's from what the archive has of them (system messages carry nicknames), as far
as it was read. --names gives others: a CSV file of ids and names, two columns; ids remain visible.`

// Zone finds a time zone by its name, such as Asia/Shanghai or +08:00.
func Zone(name string) (*time.Location, error) {
	for _, form := range []string{"-07:00", "UTC-07:00"} {
		if t, err := time.Parse(form, name); err == nil {
			_, offset := t.Zone()
			return time.FixedZone(name, offset), nil
		}
	}
	zone, err := time.LoadLocation(name)
	if err != nil || len(name) > 60 || strings.Contains(name, `\`) {
		return nil, fmt.Errorf("%.60q is no time zone: give a name such as Asia/Shanghai, UTC, or an offset such as +08:00", name)
	}
	return zone, nil
}

// maxNamesBytes bounds a file of names.
const maxNamesBytes = 64 << 20

// Names reads people's names by their ids from a CSV file, none if path is empty. Rows without a name count as none; a heading
// is a person nobody has.
func Names(path string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	r := csv.NewReader(io.LimitReader(file, maxNamesBytes))
	r.FieldsPerRecord, r.ReuseRecord = -1, true
	names := map[string]string{}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return names, nil
		}
		if err != nil {
			return nil, err
		}
		if len(record) < 2 || !utf8.ValidString(record[0]+record[1]) {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("line %d has not two columns of UTF-8: id, name", line)
		}
		id := strings.TrimPrefix(record[0], "\ufeff")
		if name := strings.TrimSpace(record[1]); name != "" {
			names[id] = name
		}
	}
}
