package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// SweepContinue is the next part of a sweep.
type SweepContinue struct {
	ID   string `json:"id"`
	Part int    `json:"part"`
}

// LaneContinue is the next batch of a sweep's lane. What there is to do stands in the sweep's objects.
type LaneContinue struct {
	Sweep string `json:"sweep"`
	Lane  int    `json:"lane"`
	Batch int    `json:"batch"`
}

// IsLane reports whether the task is a batch of a lane.
func (t Task) IsLane() bool { return t.Continue != nil && t.Continue.Lane != nil }

func readSweepContinue(members map[string]json.RawMessage, c *Continue) error {
	fields, err := readObject(members, "sweep")
	if fields == nil || err != nil {
		return err
	}
	var s SweepContinue
	if err := errors.Join(readID(fields, "id", &s.ID), readNumber(fields, "part", &s.Part)); err != nil {
		return err
	}
	if !runID(s.ID) || s.Part < 0 {
		return fmt.Errorf("%w: continue.sweep names no part of a sweep", ErrInvalid)
	}
	c.Sweep = &s
	return nil
}

func readLaneContinue(members map[string]json.RawMessage, c *Continue) error {
	fields, err := readObject(members, "lane")
	if fields == nil || err != nil {
		return err
	}
	var l LaneContinue
	if err := errors.Join(
		readID(fields, "sweep", &l.Sweep), readNumber(fields, "lane", &l.Lane), readNumber(fields, "batch", &l.Batch),
	); err != nil {
		return err
	}
	if !runID(l.Sweep) || l.Lane < 0 || l.Batch < 0 {
		return fmt.Errorf("%w: continue.lane names no batch of a lane", ErrInvalid)
	}
	c.Lane = &l
	return nil
}

func readObject(members map[string]json.RawMessage, name string) (map[string]json.RawMessage, error) {
	raw := members[name]
	if !present(raw) {
		return nil, nil
	}
	fields, ok := object(raw)
	if !ok {
		return nil, fmt.Errorf("%w: %s is not an object", ErrInvalid, name)
	}
	return fields, nil
}

// runID reports whether a text may be the id of a run, a writer, an owner or a sweep.
func runID(id string) bool {
	return id != "" && len(id) <= maxRunBytes && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' })
}
