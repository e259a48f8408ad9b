package plane

import "corridor"

func prepareParquet(src Content, plan Plan, key []byte) (program, error) {
	return nil, corridor.E(corridor.Unavailable, "not built yet")
}
