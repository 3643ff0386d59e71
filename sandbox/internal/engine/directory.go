package engine

import (
	"bytes"
	"slices"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// Directories are chains of pages that hold keys; an owner directory holds the
// keys of what its account owns or is named in, sorted within a page
// (rippled's ApplyView.cpp).
const (
	dirPageEntries = 32     // keys a page
	dirMaxPages    = 262144 // pages a directory
)

func newEntry(t codec.LedgerEntryType) *codec.Object {
	o := codec.NewObject()
	o.SetUint(codec.SfLedgerEntryType, uint64(t))
	o.SetUint(codec.SfFlags, 0)
	return o
}

func newDirPage(root codec.Hash256, owner codec.AccountID, key codec.Hash256) *codec.Object {
	o := newEntry(codec.LtDirectoryNode)
	o.SetAccount(codec.SfOwner, owner)
	o.SetHash(codec.SfRootIndex, root)
	o.SetHashes(codec.SfIndexes, []codec.Hash256{key})
	return o
}

// dirInsert adds a key to an account's owner directory and tells the page it
// went to; not ok when the directory is full.
func (s *stateTable) dirInsert(owner codec.AccountID, key codec.Hash256) (page uint64, ok bool) {
	rootKey := OwnerDirKey(owner)
	root := s.peek(rootKey)
	if root == nil {
		s.insert(rootKey, newDirPage(rootKey, owner, key))
		return 0, true
	}
	page = root.Uint(codec.SfIndexPrevious)
	nodeKey, node := rootKey, root
	if page != 0 {
		nodeKey = PageKey(rootKey, page)
		node = s.peek(nodeKey)
	}
	indexes := node.Hashes(codec.SfIndexes)
	if len(indexes) < dirPageEntries {
		sorted := make([]codec.Hash256, len(indexes), len(indexes)+1)
		copy(sorted, indexes)
		slices.SortFunc(sorted, compareHashes)
		at, _ := slices.BinarySearchFunc(sorted, key, compareHashes)
		node.SetHashes(codec.SfIndexes, slices.Insert(sorted, at, key))
		s.update(nodeKey)
		return page, true
	}
	page++
	if page >= dirMaxPages {
		return 0, false
	}
	node.SetUint(codec.SfIndexNext, page)
	s.update(nodeKey)
	root.SetUint(codec.SfIndexPrevious, page)
	s.update(rootKey)
	next := newDirPage(rootKey, owner, key)
	if page != 1 {
		next.SetUint(codec.SfIndexPrevious, page-1)
	}
	s.insert(PageKey(rootKey, page), next)
	return page, true
}

// dirRemove takes a key off a page, and the page away when that leaves it
// empty; the first page stays while keepRoot is set or others follow it.
func (s *stateTable) dirRemove(owner codec.AccountID, page uint64, key codec.Hash256, keepRoot bool) bool {
	rootKey := OwnerDirKey(owner)
	nodeKey := PageKey(rootKey, page)
	node := s.peek(nodeKey)
	if node == nil {
		return false
	}
	indexes := node.Hashes(codec.SfIndexes)
	at := slices.Index(indexes, key)
	if at < 0 {
		return false
	}
	left := make([]codec.Hash256, 0, len(indexes)-1)
	left = append(append(left, indexes[:at]...), indexes[at+1:]...)
	node.SetHashes(codec.SfIndexes, left)
	s.update(nodeKey)
	if len(left) > 0 {
		return true
	}

	prevPage, nextPage := node.Uint(codec.SfIndexPrevious), node.Uint(codec.SfIndexNext)
	if page == 0 {
		if nextPage == prevPage && nextPage != 0 {
			lastKey := PageKey(rootKey, nextPage)
			if last := s.peek(lastKey); last != nil && len(last.Hashes(codec.SfIndexes)) == 0 {
				node.SetUint(codec.SfIndexNext, 0)
				node.SetUint(codec.SfIndexPrevious, 0)
				s.update(nodeKey)
				s.erase(lastKey)
				nextPage, prevPage = 0, 0
			}
		}
		if !keepRoot && nextPage == 0 && prevPage == 0 {
			s.erase(nodeKey)
		}
		return true
	}

	prevKey, nextKey := PageKey(rootKey, prevPage), PageKey(rootKey, nextPage)
	prev := s.peek(prevKey)
	prev.SetUint(codec.SfIndexNext, nextPage)
	s.update(prevKey)
	next := s.peek(nextKey)
	next.SetUint(codec.SfIndexPrevious, prevPage)
	s.update(nextKey)
	s.erase(nodeKey)

	if nextPage != 0 && next.Uint(codec.SfIndexNext) == 0 && len(next.Hashes(codec.SfIndexes)) == 0 {
		s.erase(nextKey)
		prev.SetUint(codec.SfIndexNext, 0)
		s.update(prevKey)
		root := s.peek(rootKey)
		root.SetUint(codec.SfIndexPrevious, prevPage)
		s.update(rootKey)
		nextPage = 0
	}
	if !keepRoot && nextPage == 0 && prevPage == 0 && len(prev.Hashes(codec.SfIndexes)) == 0 {
		s.erase(prevKey)
	}
	return true
}

// dirIsEmpty tells whether an account's owner directory holds nothing.
func (v *view) dirIsEmpty(owner codec.AccountID) bool {
	root := v.read(OwnerDirKey(owner))
	return root == nil || len(root.Hashes(codec.SfIndexes)) == 0 && root.Uint(codec.SfIndexNext) == 0
}

func compareHashes(a, b codec.Hash256) int { return bytes.Compare(a[:], b[:]) }
