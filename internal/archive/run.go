package archive

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"
)

const runTimeForm = "20060102T150405Z"

// NewRunID returns a new run's id: its start in UTC and eight random hex digits, "20261122T083000Z-1f2e3d4c".
func NewRunID(now time.Time) string {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	return now.UTC().Format(runTimeForm) + "-" + hex.EncodeToString(random[:])
}

// RunStart returns when the run started, to the second. It reports false for what NewRunID did not make.
func RunStart(run string) (time.Time, bool) {
	start, random, ok := strings.Cut(run, "-")
	t, err := time.Parse(runTimeForm, start)
	if raw, hexErr := hex.DecodeString(random); !ok || err != nil || hexErr != nil || len(raw) != 4 {
		return time.Time{}, false
	}
	return t, true
}
