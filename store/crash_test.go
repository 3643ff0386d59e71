package store

const crashPath = "STORE_TEST_CRASH_PATH"

func crashChild() {}
