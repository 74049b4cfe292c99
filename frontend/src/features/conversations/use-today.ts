import { useEffect, useState } from "react";
import { untilMidnight } from "@/features/conversations/days";

/** A time of today; another one when the day changes, also while the machine slept. */
export function useToday(): Date {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = setTimeout(look, untilMidnight(now));
    document.addEventListener("visibilitychange", look);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", look);
    };

    function look(): void {
      if (new Date().toDateString() !== now.toDateString()) setNow(new Date());
    }
  }, [now]);
  return now;
}
