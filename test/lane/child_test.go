package lane

const childStore = "LANE_TEST_CHILD"

func child() int { return 1 }
