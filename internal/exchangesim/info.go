package exchangesim

import (
	"github.com/hedgewatch/hedgewatch/internal/binance"
)

func serveInfo(c *call) (any, *fail) {
	o := object{"timezone": "UTC", "serverTime": c.ms(), "rateLimits": rateLimits(c.cfg.Limits[c.market]), "exchangeFilters": []any{}}
	all := c.listed[c.market]
	if c.market == binance.Spot && (c.params.Get("symbol") != "" || c.params.Get("symbols") != "") {
		var f *fail
		if all, _, f = c.some(); f != nil {
			return nil, f
		}
	}
	if c.market == binance.USDM {
		o["futuresType"] = "U_MARGINED"
		o["assets"] = []object{{"asset": "USDT", "marginAvailable": true, "autoAssetExchange": "-10000"}}
	}
	symbols := make([]object, len(all))
	for i, s := range all {
		symbols[i] = c.describe(s)
	}
	o["symbols"] = symbols
	return o, nil
}

func rateLimits(limits []binance.Limit) []object {
	names := []struct {
		name string
		ms   int64
	}{{"DAY", day}, {"HOUR", 60 * minute}, {"MINUTE", minute}, {"SECOND", 1000}}
	all := make([]object, len(limits))
	for i, l := range limits {
		for _, n := range names {
			if ms := l.Window.Milliseconds(); ms%n.ms == 0 {
				all[i] = object{"rateLimitType": l.Type, "interval": n.name, "intervalNum": ms / n.ms, "limit": l.Count}
				break
			}
		}
	}
	return all
}

func (c *call) describe(s *symbol) object {
	tick, step := s.price(1), s.qty(1)
	filters := []object{
		{"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": s.price(pow10(s.PriceDigits + 7)), "tickSize": tick},
		{"filterType": "LOT_SIZE", "minQty": step, "maxQty": s.qty(pow10(s.QuantityDigits + 4)), "stepSize": step},
	}
	o := object{
		"symbol": s.Name, "baseAsset": s.Base, "quoteAsset": s.Quote, "baseAssetPrecision": 8, "quotePrecision": 8,
		"filters": filters, "orderTypes": []string{"LIMIT", "MARKET"},
	}
	status := c.status(s, c.ms())
	if c.market == binance.Spot {
		for key, value := range (object{
			"status": status, "quoteAssetPrecision": 8, "baseCommissionPrecision": 8, "quoteCommissionPrecision": 8,
			"icebergAllowed": false, "ocoAllowed": false, "otoAllowed": false, "quoteOrderQtyMarketAllowed": true,
			"allowTrailingStop": false, "cancelReplaceAllowed": false, "amendAllowed": false,
			"isSpotTradingAllowed": status == "TRADING", "isMarginTradingAllowed": false,
			"permissions": []string{}, "permissionSets": [][]string{{"SPOT"}},
			"defaultSelfTradePreventionMode": "EXPIRE_MAKER", "allowedSelfTradePreventionModes": []string{"EXPIRE_MAKER"},
			"orderTypes": []string{"LIMIT", "LIMIT_MAKER", "MARKET"},
		}) {
			o[key] = value
		}
		return o
	}
	const never = 4133404800000
	for key, value := range (object{
		"pair": s.pair(), "contractType": "PERPETUAL", "deliveryDate": int64(never), "onboardDate": s.tape.origin * minute,
		"marginAsset": s.marginAsset(), "pricePrecision": s.PriceDigits, "quantityPrecision": s.QuantityDigits,
		"maintMarginPercent": "2.5000", "requiredMarginPercent": "5.0000", "underlyingType": "COIN", "underlyingSubType": []string{},
		"triggerProtect": "0.0500", "liquidationFee": "0.012500", "marketTakeBound": "0.05", "maxMoveOrderLimit": 10000,
		"timeInForce": []string{"GTC", "IOC", "FOK", "GTX"},
	}) {
		o[key] = value
	}
	if c.market == binance.COINM {
		o["contractStatus"], o["contractSize"], o["equalQtyPrecision"] = status, contractSize, 4
		return o
	}
	o["status"], o["permissionSets"] = status, []string{"COPY"}
	return o
}

// marginAsset is what futures are settled in.
func (s *symbol) marginAsset() string {
	if s.Market == binance.COINM {
		return s.Base
	}
	return s.Quote
}
