package instrument

// Market is a part of the exchange with request limits of its own, and a label.
type Market string

// The markets, named as hedgewatch's governor names them.
const (
	Spot  Market = "spot"
	USDM  Market = "usdm"  // USDⓈ-M futures.
	COINM Market = "coinm" // COIN-M futures.
)

func markets() []Market { return []Market{Spot, USDM, COINM} }
