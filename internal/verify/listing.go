package verify

import (
	"errors"
	"fmt"
	"iter"

	"chatexport/internal/objstore"
)

// errListing means that the store breaks its contract; nothing can be concluded from such a listing.
var errListing = errors.New("listing is not in ascending order")

// listing reads a store's listing one key ahead, so that it can be compared with the chain without being held in memory.
type listing struct {
	next func() (objstore.Entry, error, bool)
	stop func()
	key  string
	have bool
	err  error
}

func newListing(entries iter.Seq2[objstore.Entry, error]) *listing {
	l := &listing{}
	l.next, l.stop = iter.Pull2(entries)
	l.pop()
	return l
}

// peek returns the next key, and false at the end.
func (l *listing) peek() (string, bool, error) { return l.key, l.have, l.err }

func (l *listing) pop() {
	last := l.key
	var entry objstore.Entry
	entry, l.err, l.have = l.next()
	l.key = entry.Key
	if l.err != nil {
		l.err = fmt.Errorf("list: %w", l.err)
	} else if l.have && l.key <= last {
		l.err = fmt.Errorf("%w: %q after %q", errListing, l.key, last)
	}
	l.have = l.have && l.err == nil
}

// popIf takes the next key if it is this one, and reports whether it was.
func (l *listing) popIf(key string) (bool, error) {
	if l.err != nil || !l.have || l.key != key {
		return false, l.err
	}
	l.pop()
	return true, nil
}
