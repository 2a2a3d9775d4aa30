package conversation

import (
	"container/list"
	"sync"

	"chatexport/internal/chat"
)

// cache holds the chunks that were used last, up to a weight. One that is heavier than all of it together is not held.
type cache struct {
	most int64

	mu     sync.Mutex
	weight int64
	order  list.List // of held, the last used in front
	held   map[cacheKey]*list.Element
}

type cacheKey struct {
	stream chat.Stream
	chunk  chunkID
}

type held struct {
	key    cacheKey
	chunk  *unpacked
	weight int64
}

func newCache(most int64) *cache { return &cache{most: most, held: map[cacheKey]*list.Element{}} }

func (c *cache) get(key cacheKey) *unpacked {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.held[key]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*held).chunk
}

func (c *cache) put(key cacheKey, u *unpacked) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.held[key]; e != nil {
		c.drop(e)
	}
	h := &held{key: key, chunk: u, weight: u.weight()}
	c.held[key] = c.order.PushFront(h)
	for c.weight += h.weight; c.weight > c.most; {
		c.drop(c.order.Back())
	}
}

func (c *cache) drop(e *list.Element) {
	h := c.order.Remove(e).(*held)
	delete(c.held, h.key)
	c.weight -= h.weight
}
